import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { AttemptLimits } from '../../kernel/http/attempt-limits.js';
import { Passwords } from '../../kernel/secrets/passwords.js';
import type { Client } from '../../kernel/tenancy/current-client.decorator.js';
import { Database } from '../../kernel/tenancy/database.js';
import type { Caller } from '../../kernel/tenancy/request-context.js';
import { InvalidOneTimeToken } from './auth.errors.js';
import type { Registration, RegistrationReceived } from './auth.schemas.js';
import { AuthMails } from './auth-mails.js';
import { sha256 } from './refresh-tokens.js';

/** New accounts and the proof of their address. */
@Injectable()
export class RegistrationService {
  constructor(
    private readonly database: Database,
    private readonly passwords: Passwords,
    private readonly mails: AuthMails,
    private readonly attempts: AttemptLimits,
  ) {}

  /** Answers alike, after the same work, whether the address was free or taken: the mail says which. */
  async register({ email, password, firstName, lastName }: Registration): Promise<RegistrationReceived> {
    this.passwords.assertAcceptable(password, email);
    await this.attempts.begin('mail', { account: sha256(email) });
    const hash = await this.passwords.hash(password);
    const account = await this.database.first<{ userId: string; isNew: boolean }>(
      'SELECT * FROM auth.register($1, $2, $3, $4, $5)',
      [uuidv7(), email, hash, firstName, lastName],
    );
    if (account) await this.mails.post(account.isNew ? 'verify-email' : 'address-taken', account.userId);
    return { message: 'We have sent you a mail.' };
  }

  /** @throws InvalidOneTimeToken */
  async verify(token: string, client: Client): Promise<void> {
    await this.attempts.begin('token', { source: client.address });
    const row = await this.database.first<{ userId: string | null }>('SELECT auth.verify_email($1) AS user_id', [
      sha256(token),
    ]);
    if (!row?.userId) throw new InvalidOneTimeToken();
    this.attempts.succeed('token', { source: client.address });
  }

  /** Mails a new token, unless the address is verified already. */
  async resend(caller: Caller): Promise<void> {
    await this.attempts.begin('mail', { account: caller.userId });
    const user = await this.database.first<{ emailVerifiedAt: Date | null }>(
      'SELECT email_verified_at FROM auth.users WHERE id = app.user_id()',
    );
    if (user && !user.emailVerifiedAt) await this.mails.post('verify-email', caller.userId);
  }
}
