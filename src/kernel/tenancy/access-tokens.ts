import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { exportJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { CONFIG, type Config } from '../config/config.js';
import { Unauthenticated } from '../http/http.errors.js';
import { type UserType, userTypes } from './actor.js';
import type { Caller } from './request-context.js';

interface SigningKey {
  id: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

interface Verified {
  caller: Caller;
  expiresAt: number;
}

const audience = 'polyclinic';
const remembered = 20_000;

/**
 * Access tokens: EdDSA (RFC 8037) JWTs with user, session and user type. The first key of the ring signs, all verify,
 * so two live side by side while they are rotated.
 *
 * A verified token is remembered by its SHA-256 until it expires. That is never more than its session: each request's
 * `begin_request` asks whether the session lives.
 */
@Injectable()
export class AccessTokens {
  private readonly keys: readonly SigningKey[];
  private readonly verified = new LRUCache<string, Verified>({ max: remembered });

  constructor(@Inject(CONFIG) private readonly config: Config) {
    this.keys = parseKeys(config.tokens.jwtKeys);
  }

  async sign(caller: Caller): Promise<string> {
    const [key] = this.keys;
    if (!key) throw new Error('JWT_KEYS holds no key.');
    return new SignJWT({ sid: caller.sessionId, user_type: caller.userType })
      .setProtectedHeader({ alg: 'EdDSA', kid: key.id, typ: 'at+jwt' })
      .setSubject(caller.userId)
      .setIssuer(this.config.tokens.issuer)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(`${this.config.tokens.accessTtlSeconds}s`)
      .sign(key.privateKey);
  }

  /** @throws Unauthenticated when it is not ours, malformed or expired */
  async verify(token: string): Promise<Caller> {
    const digest = createHash('sha256').update(token).digest('base64');
    const known = this.verified.get(digest);
    if (known) {
      if (known.expiresAt > Date.now()) return known.caller;
      this.verified.delete(digest);
    }
    const fresh = await this.check(token);
    this.verified.set(digest, fresh);
    return fresh.caller;
  }

  /** The public halves, for `/.well-known/jwks.json` (RFC 7517). */
  jwks(): Promise<JWK[]> {
    return Promise.all(
      this.keys.map(async ({ id, publicKey }) => ({
        ...(await exportJWK(publicKey)),
        kid: id,
        alg: 'EdDSA',
        use: 'sig',
      })),
    );
  }

  private async check(token: string): Promise<Verified> {
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.publicKey(kid), {
        algorithms: ['EdDSA'],
        issuer: this.config.tokens.issuer,
        audience,
        requiredClaims: ['sub', 'sid', 'user_type', 'exp'],
      });
      const { sub, sid, user_type: userType, exp } = payload;
      if (typeof sid !== 'string' || sub === undefined || exp === undefined || !isUserType(userType))
        throw new Unauthenticated();
      return { caller: { userId: sub, sessionId: sid, userType }, expiresAt: exp * 1000 };
    } catch (error) {
      throw new Unauthenticated('The access token is not valid, or has expired.', { cause: error });
    }
  }

  private publicKey(id: string | undefined): KeyObject {
    const key = this.keys.find((each) => each.id === id);
    if (!key) throw new Unauthenticated();
    return key.publicKey;
  }
}

function isUserType(value: unknown): value is UserType {
  return userTypes.some((type) => type === value);
}

/** `kid:base64 of PKCS #8 DER`, separated by commas. */
function parseKeys(ring: string): SigningKey[] {
  const entries = ring.split(',').map((entry) => entry.trim());
  return entries.filter(Boolean).map((entry) => {
    const [id = '', der = ''] = entry.split(/:(.*)/s);
    const privateKey = createPrivateKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'pkcs8' });
    return { id, privateKey, publicKey: createPublicKey(privateKey) };
  });
}
