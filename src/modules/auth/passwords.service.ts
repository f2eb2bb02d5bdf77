import { Injectable } from '@nestjs/common';
import { AttemptLimits } from '../../kernel/http/attempt-limits.js';
import { Passwords } from '../../kernel/secrets/passwords.js';
import type { Client } from '../../kernel/tenancy/current-client.decorator.js';
import { Database } from '../../kernel/tenancy/database.js';
import type { Caller } from '../../kernel/tenancy/request-context.js';
import { InvalidOneTimeToken, WrongCredentials } from './auth.errors.js';
import type { PasswordChange, PasswordReset } from './auth.schemas.js';
import { AuthMails } from './auth-mails.js';
import { sha256 } from './refresh-tokens.js';

/** Forgotten and changed passwords. No transaction is held while a password is hashed. */
@Injectable()
export class PasswordsService {
  constructor(
    private readonly database: Database,
    private readonly passwords: Passwords,
    private readonly mails: AuthMails,
    private readonly attempts: AttemptLimits,
  ) {}

  /** Mails a token to whoever has an account; answers alike for everybody. */
  async forgot(email: string): Promise<void> {
    await this.attempts.begin('mail', { account: sha256(email) });
    const account = await this.database.first<{ userId: string; isDisabled: boolean }>(
      'SELECT user_id, is_disabled FROM auth.credentials($1)',
      [email],
    );
    if (account && !account.isDisabled) await this.mails.post('reset-password', account.userId);
  }

  /** Sets the password and ends every session. @throws InvalidOneTimeToken, PasswordTooCommon */
  async reset({ token, password }: PasswordReset, client: Client): Promise<void> {
    await this.attempts.begin('token', { source: client.address });
    const email = await this.emailOf(token);
    if (email === undefined) throw new InvalidOneTimeToken();
    this.passwords.assertAcceptable(password, email);
    const hash = await this.passwords.hash(password);
    const done = await this.database.first<{ userId: string | null }>('SELECT auth.reset_password($1, $2) AS user_id', [
      sha256(token),
      hash,
    ]);
    if (!done?.userId) throw new InvalidOneTimeToken();
    await this.mails.post('password-changed', done.userId);
    this.attempts.succeed('token', { source: client.address });
    this.attempts.succeed('mail', { account: sha256(email) });
  }

  /** Sets the caller's password and ends their other sessions. @throws WrongCredentials, PasswordTooCommon */
  async change({ currentPassword, newPassword }: PasswordChange, caller: Caller): Promise<void> {
    const own = await this.database.separately(() =>
      this.database.first<{ hash: string | null; email: string | null }>(ownPassword),
    );
    this.passwords.assertAcceptable(newPassword, own?.email ?? '', 'newPassword');
    await this.attempts.begin('login', { account: caller.userId });
    if (!own?.hash || !(await this.passwords.verify(own.hash, currentPassword))) throw new WrongCredentials();
    const hash = await this.passwords.hash(newPassword);
    await this.database.query('SELECT auth.change_password($1)', [hash]);
    await this.mails.post('password-changed', caller.userId);
    this.attempts.succeed('login', { account: caller.userId });
  }

  private async emailOf(token: string): Promise<string | undefined> {
    const row = await this.database.separately(() =>
      this.database.first<{ email: string | null }>("SELECT auth.token_email($1, 'reset-password') AS email", [
        sha256(token),
      ]),
    );
    return row?.email ?? undefined;
  }
}

const ownPassword = 'SELECT auth.own_password_hash() AS hash, email FROM auth.users WHERE id = app.user_id()';
