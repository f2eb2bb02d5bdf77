import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Who was sent to a provider, from where and for what: only the same may come back with the answer. Its texts are signed
 * in their order, so each purpose names its own: user, session and clinic, say, or the browser alone.
 */
export type StateHolder = readonly string[];

interface OpenedState {
  /** Under which the row is found that makes the state single-use. */
  hash: string;
  codeVerifier: string;
}

/**
 * The `state` of a provider's consent page: a random number, signed together with its holder. The verifier of PKCE
 * (RFC 7636) is derived from the number, so that it rests nowhere.
 *
 * @param key of one purpose, so that a state that was made for another does not open: see `deriveKey`
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

  private signature(nonce: string, holder: StateHolder): string {
    return this.mac('state', nonce, ...holder);
  }

  private verifier(nonce: string): string {
    return this.mac('verifier', nonce);
  }

  private mac(...parts: string[]): string {
    return createHmac('sha256', this.key).update(JSON.stringify(parts)).digest('base64url');
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');
