import { Inject, Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { CONFIG, type Config } from '../../kernel/config/config.js';
import { AttemptLimits } from '../../kernel/http/attempt-limits.js';
import { NotFound } from '../../kernel/http/http.errors.js';
import { Passwords } from '../../kernel/secrets/passwords.js';
import { AccessTokens } from '../../kernel/tenancy/access-tokens.js';
import type { UserType } from '../../kernel/tenancy/actor.js';
import type { Client } from '../../kernel/tenancy/current-client.decorator.js';
import { Database } from '../../kernel/tenancy/database.js';
import type { Caller } from '../../kernel/tenancy/request-context.js';
import { RefreshRefused, WrongCredentials } from './auth.errors.js';
import type { Login, Sessions, Tokens } from './auth.schemas.js';
import { RefreshTokens, sha256 } from './refresh-tokens.js';

interface Credentials {
  userId: string;
  passwordHash: string | null;
  isDisabled: boolean;
}

interface Rotation {
  outcome: 'rotated' | 'again' | 'reused' | 'ended';
  userId: string;
  userType: UserType;
}

/** Log-in, refresh and log-out. */
@Injectable()
export class SessionsService {
  constructor(
    private readonly database: Database,
    private readonly passwords: Passwords,
    private readonly accessTokens: AccessTokens,
    private readonly refreshTokens: RefreshTokens,
    private readonly attempts: AttemptLimits,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws WrongCredentials for an unknown, disabled or passwordless account and a wrong password alike */
  async logIn({ email, password }: Login, client: Client): Promise<Tokens> {
    const attempt = { account: sha256(email), source: client.address };
    await this.attempts.begin('login', attempt);
    const account = await this.database.separately(() =>
      this.database.first<Credentials>('SELECT * FROM auth.credentials($1)', [email]),
    );
    const hash = account?.passwordHash;
    const isRight = hash ? await this.passwords.verify(hash, password) : await this.passwords.verifyNothing(password);
    if (!account || !hash || !isRight || account.isDisabled) throw new WrongCredentials();
    this.attempts.succeed('login', attempt);
    if (this.passwords.isOutdated(hash)) await this.renewHash(account.userId, hash, password);
    const tokens = await this.open(account.userId, client);
    if (!tokens) throw new WrongCredentials();
    return tokens;
  }

  /** @throws RefreshRefused; when the token was used before, the session is ended although the request is refused */
  async refresh(text: string, client: Client): Promise<Tokens> {
    const presented = this.refreshTokens.parse(text);
    if (!presented) throw new RefreshRefused();
    // Not the address: sessions that have ended fail all over a clinic in the morning, and bar nobody else.
    const attempt = { source: presented.sessionId };
    await this.attempts.begin('refresh', attempt);
    const next = this.refreshTokens.successor(presented);
    const rotation = await this.database.first<Rotation>('SELECT * FROM auth.rotate_session($1, $2, $3, $4, $5, $6)', [
      presented.sessionId,
      this.refreshTokens.hash(presented),
      this.refreshTokens.hash(next),
      client.userAgent,
      client.address,
      this.config.tokens.refreshTtlDays,
    ]);
    if (!rotation || rotation.outcome === 'ended') throw new RefreshRefused();
    if (rotation.outcome === 'reused') throw new RefreshRefused(undefined, { keepsWrites: true });
    this.attempts.succeed('refresh', attempt);
    const { userId, userType } = rotation;
    return this.tokensFor({ userId, userType, sessionId: presented.sessionId }, this.refreshTokens.format(next));
  }

  async list(caller: Caller): Promise<Sessions> {
    const rows = await this.database.query<Omit<Sessions['data'][number], 'isCurrent'>>(ownSessions);
    return { data: rows.map((row) => ({ ...row, isCurrent: row.id === caller.sessionId })) };
  }

  /** @throws NotFound for a session of somebody else, and for one that has ended */
  async end(sessionId: string): Promise<void> {
    const [ended] = await this.database.query(endSession, [sessionId]);
    if (!ended) throw new NotFound();
  }

  async endAll(): Promise<void> {
    await this.database.query(endAllSessions);
  }

  /** A session for somebody who has proven who they are; undefined when their account is gone or disabled. */
  async open(userId: string, client: Client): Promise<Tokens | undefined> {
    const token = this.refreshTokens.first(uuidv7());
    const values = [token.sessionId, userId, this.refreshTokens.hash(token), client.userAgent, client.address];
    const opened = await this.database.first<{ userType: UserType | null }>(
      'SELECT auth.open_session($1, $2, $3, $4, $5, $6) AS user_type',
      [...values, this.config.tokens.refreshTtlDays],
    );
    if (!opened?.userType) return undefined;
    const caller = { userId, sessionId: token.sessionId, userType: opened.userType };
    return this.tokensFor(caller, this.refreshTokens.format(token));
  }

  private async tokensFor(caller: Caller, refreshToken: string): Promise<Tokens> {
    return {
      accessToken: await this.accessTokens.sign(caller),
      refreshToken,
      tokenType: 'Bearer',
      expiresIn: this.config.tokens.accessTtlSeconds,
      user: { id: caller.userId, userType: caller.userType },
    };
  }

  private async renewHash(userId: string, old: string, password: string): Promise<void> {
    const renewed = await this.passwords.hash(password);
    await this.database.query('SELECT auth.renew_password_hash($1, $2, $3)', [userId, old, renewed]);
  }
}

const ownSessions = `
  SELECT id, user_agent, host(address) AS address, created_at, refreshed_at, expires_at
    FROM auth.sessions
   WHERE user_id = app.user_id() AND revoked_at IS NULL AND expires_at > now()
   ORDER BY created_at DESC LIMIT 200`;

const endSession = `
  UPDATE auth.sessions SET revoked_at = now()
   WHERE id = $1 AND user_id = app.user_id() AND revoked_at IS NULL RETURNING id`;

const endAllSessions = `
  UPDATE auth.sessions SET revoked_at = now() WHERE user_id = app.user_id() AND revoked_at IS NULL`;
