import { Injectable } from '@nestjs/common';
import { AttemptLimits } from '../../../kernel/http/attempt-limits.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { AlreadyLinked, FacebookCodeInvalid, IdentityTaken, LastLogin } from '../auth.errors.js';
import { sha256 } from '../refresh-tokens.js';
import type { FacebookCode, FacebookProof } from './facebook.schemas.js';
import { FacebookTokens } from './facebook-tokens.js';

/** Links the caller's account with a person of Facebook, who can then log in to it, and unlinks it. */
@Injectable()
export class FacebookLinksService {
  constructor(
    private readonly database: Database,
    private readonly tokens: FacebookTokens,
    private readonly attempts: AttemptLimits,
  ) {}

  /** Linked once more it stays as it is. @throws FacebookCodeInvalid, FacebookTokenRefused, IdentityTaken, AlreadyLinked */
  async link(proof: FacebookProof, caller: Caller): Promise<void> {
    const attempt = { source: caller.userId };
    await this.attempts.begin('token', attempt);
    const facebookUserId = 'code' in proof ? await this.ofCode(proof) : await this.ofToken(proof.accessToken);
    const [linked] = await this.database.query(insertIdentity, [facebookUserId]);
    if (!linked) await this.assertLinked(facebookUserId);
    this.attempts.succeed('token', attempt);
  }

  /** @throws NotFound, LastLogin when neither a password nor another provider is left */
  async unlink(): Promise<void> {
    const [removed] = await this.database.query(deleteIdentity);
    if (!removed) throw new NotFound();
    const left = await this.database.first<{ may: boolean }>(mayLogIn);
    if (!left?.may) throw new LastLogin();
  }

  private async ofCode({ code, codeVerifier }: FacebookCode): Promise<string> {
    const values = [sha256(code), codeVerifier === undefined ? null : sha256(codeVerifier)];
    const row = await this.database.first<{ facebookUserId: string | null }>(useCode, values);
    if (!row?.facebookUserId) throw new FacebookCodeInvalid();
    return row.facebookUserId;
  }

  private async ofToken(accessToken: string): Promise<string> {
    // Whether the session lives at all is asked first: Facebook is not to be called for somebody who has logged out.
    await this.database.separately(() => this.database.query('SELECT app.user_id()'));
    return (await this.tokens.personOf(accessToken)).facebookUserId;
  }

  private async assertLinked(facebookUserId: string): Promise<void> {
    const own = await this.database.first<{ providerUserId: string }>(ownIdentity);
    if (own?.providerUserId === facebookUserId) return;
    throw own ? new AlreadyLinked() : new IdentityTaken();
  }
}

const useCode = 'SELECT auth.link_facebook_code($1, $2) AS facebook_user_id';

const insertIdentity = `
  INSERT INTO auth.identities (user_id, provider, provider_user_id) VALUES (app.user_id(), 'facebook', $1)
  ON CONFLICT DO NOTHING RETURNING id`;

const ownIdentity = `
  SELECT provider_user_id FROM auth.identities WHERE user_id = app.user_id() AND provider = 'facebook'`;

const deleteIdentity = `
  DELETE FROM auth.identities WHERE user_id = app.user_id() AND provider = 'facebook' RETURNING id`;

const mayLogIn = `
  SELECT auth.own_password_hash() IS NOT NULL
         OR EXISTS (SELECT FROM auth.identities WHERE user_id = app.user_id()) AS may`;
