import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Who was sent to Google, from where and for which clinic: only the same may come back with the answer. */
export interface StateHolder {
  clinicId: string;
  userId: string;
  sessionId: string;
}

interface OpenedState {
  /** Under which the row is found that makes the state single-use. */
  hash: string;
  codeVerifier: string;
}

/**
 * The `state` of the consent page: a random number, signed together with its holder. The verifier of PKCE (RFC 7636) is
 * derived from the number, so that it rests nowhere.
 */
export class AuthorizationStates {
  constructor(private readonly key: Buffer) {}

  make(holder: StateHolder): { state: string; hash: string; codeChallenge: string } {
    const nonce = randomBytes(32).toString('base64url');
    const state = `${nonce}.${this.signature(nonce, holder)}`;
    return { state, hash: sha256(state), codeChallenge: sha256(this.verifier(nonce)) };
  }

  /** Undefined for a state that is not ours or not this holder's. */
  open(state: string, holder: StateHolder): OpenedState | undefined {
    const [nonce = '', signature = '', ...rest] = state.split('.');
    const expected = Buffer.from(this.signature(nonce, holder));
    const given = Buffer.from(signature);
    if (rest.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    return { hash: sha256(state), codeVerifier: this.verifier(nonce) };
  }

  private signature(nonce: string, { clinicId, userId, sessionId }: StateHolder): string {
    return this.mac('state', nonce, clinicId, userId, sessionId);
  }

  private verifier(nonce: string): string {
    return this.mac('verifier', nonce);
  }

  private mac(...parts: string[]): string {
    return createHmac('sha256', this.key).update(JSON.stringify(parts)).digest('base64url');
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');
