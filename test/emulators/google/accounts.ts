import { createHash, randomBytes } from 'node:crypto';
import { oauthError, type Reply } from './problems.ts';

export interface Client {
  clientId: string;
  clientSecret: string;
  /** `*` takes any, for a demonstration. */
  redirectUris: string[];
}

interface Grant {
  email: string;
  clientId: string;
  scopes: string[];
}

interface AuthorizationCode extends Grant {
  redirectUri: string;
  challenge: string | undefined;
  isOffline: boolean;
  /** Given with the first consent, and again where the page asked for consent anew. */
  givesRefreshToken: boolean;
  expiresAt: number;
  isUsed: boolean;
}

interface AccessToken extends Grant {
  refreshToken: string | undefined;
  expiresAt: number;
}

const codeLifeMs = 10 * 60_000;
const random = (bytes: number) => randomBytes(bytes).toString('base64url');
const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url');

/** Google's people, and the tokens that stand for what they allowed. */
export class Accounts {
  readonly clients = new Map<string, Client>();
  readonly people = new Map<string, { email: string; subject: string }>();
  accessTokenSeconds = 3599;
  private readonly codes = new Map<string, AuthorizationCode>();
  private readonly accessTokens = new Map<string, AccessToken>();
  private readonly refreshTokens = new Map<string, Grant>();
  private readonly consents = new Set<string>();

  addPerson(email: string): void {
    this.people.set(email, { email, subject: BigInt(`0x${randomBytes(8).toString('hex')}`).toString() });
  }

  /** What the consent page decides. */
  giveCode(given: Omit<AuthorizationCode, 'expiresAt' | 'isUsed' | 'givesRefreshToken'> & { prompt: string }): string {
    const { prompt, ...rest } = given;
    const consent = `${given.clientId} ${given.email}`;
    const givesRefreshToken = given.isOffline && (prompt.split(' ').includes('consent') || !this.consents.has(consent));
    this.consents.add(consent);
    const code = `4/0A${random(30)}`;
    this.codes.set(code, { ...rest, givesRefreshToken, expiresAt: Date.now() + codeLifeMs, isUsed: false });
    return code;
  }

  /** POST /token */
  exchange(form: URLSearchParams): Reply {
    const client = this.clients.get(form.get('client_id') ?? '');
    if (!client) return oauthError('invalid_client', 'The OAuth client was not found.', 401);
    if (client.clientSecret !== form.get('client_secret')) return oauthError('invalid_client', 'Unauthorized', 401);
    const kind = form.get('grant_type');
    if (kind === 'authorization_code') return this.fromCode(client, form);
    if (kind === 'refresh_token') return this.fromRefreshToken(client, form.get('refresh_token') ?? '');
    return oauthError('unsupported_grant_type', `Invalid grant_type: ${kind ?? ''}`);
  }

  /** POST /revoke: either token ends the whole grant. */
  revoke(token: string): Reply {
    const refreshToken = this.refreshTokens.has(token) ? token : this.accessTokens.get(token)?.refreshToken;
    if (!refreshToken && !this.accessTokens.has(token)) return oauthError('invalid_token', 'Token expired or revoked');
    this.accessTokens.delete(token);
    if (refreshToken) this.endGrant(refreshToken);
    return { status: 200, body: {} };
  }

  /** As when the person takes the access away in the account's settings. */
  revokeAllOf(email: string): void {
    for (const [token, grant] of this.refreshTokens) if (grant.email === email) this.endGrant(token);
    for (const [token, grant] of this.accessTokens) if (grant.email === email) this.accessTokens.delete(token);
    for (const consent of this.consents) if (consent.endsWith(` ${email}`)) this.consents.delete(consent);
  }

  expireAccessTokens(): void {
    for (const token of this.accessTokens.values()) token.expiresAt = 0;
  }

  /** Who calls with this `Authorization`; undefined for a token that is unknown, revoked or expired. */
  bearer(authorization: string | undefined): Grant | undefined {
    const token = this.accessTokens.get(authorization?.replace(/^Bearer /i, '') ?? '');
    return token && token.expiresAt > Date.now() ? token : undefined;
  }

  private fromCode(client: Client, form: URLSearchParams): Reply {
    const code = this.codes.get(form.get('code') ?? '');
    if (!code || code.clientId !== client.clientId) return oauthError('invalid_grant', 'Malformed auth code.');
    if (code.isUsed || code.expiresAt < Date.now()) return oauthError('invalid_grant', 'Bad Request');
    if (code.redirectUri !== form.get('redirect_uri')) return oauthError('redirect_uri_mismatch', 'Bad Request');
    const verifier = form.get('code_verifier');
    if (code.challenge && !verifier) return oauthError('invalid_grant', 'Missing code verifier.');
    if (code.challenge && code.challenge !== challengeOf(verifier ?? ''))
      return oauthError('invalid_grant', 'Invalid code verifier.');
    code.isUsed = true;
    const refreshToken = code.givesRefreshToken ? `1//0${random(45)}` : undefined;
    if (refreshToken) this.refreshTokens.set(refreshToken, code);
    return this.tokens(code, refreshToken, { ...(refreshToken && { refresh_token: refreshToken }) });
  }

  private fromRefreshToken(client: Client, refreshToken: string): Reply {
    const grant = this.refreshTokens.get(refreshToken);
    if (!grant || grant.clientId !== client.clientId)
      return oauthError('invalid_grant', 'Token has been expired or revoked.');
    return this.tokens(grant, refreshToken, {});
  }

  private tokens({ email, clientId, scopes }: Grant, refreshToken: string | undefined, more: object): Reply {
    const accessToken = `ya29.${random(60)}`;
    const expiresAt = Date.now() + this.accessTokenSeconds * 1000;
    this.accessTokens.set(accessToken, { email, clientId, scopes, refreshToken, expiresAt });
    const identity = scopes.includes('openid') && { id_token: this.idToken(email, clientId) };
    const body = {
      access_token: accessToken,
      expires_in: this.accessTokenSeconds,
      scope: scopes.join(' '),
      token_type: 'Bearer',
      ...more,
      ...identity,
    };
    return { status: 200, body };
  }

  /** OpenID Connect Core section 2. Its signature is no real one: the endpoint's TLS vouches for it. */
  private idToken(email: string, clientId: string): string {
    const now = Math.floor(Date.now() / 1000);
    const subject = this.people.get(email)?.subject;
    const claims = { iss: 'https://accounts.google.com', aud: clientId, sub: subject, email, email_verified: true };
    const parts = [
      { alg: 'RS256', typ: 'JWT', kid: 'emulator' },
      { ...claims, iat: now, exp: now + 3600 },
    ];
    return [...parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')), random(32)].join('.');
  }

  private endGrant(refreshToken: string): void {
    this.refreshTokens.delete(refreshToken);
    for (const [token, access] of this.accessTokens)
      if (access.refreshToken === refreshToken) this.accessTokens.delete(token);
  }
}
