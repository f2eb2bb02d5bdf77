import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Mailer } from '../../integrations/mail/mailer.js';
import { CONFIG, type Config } from '../../kernel/config/config.js';
import { JobHandler } from '../../kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../kernel/jobs/jobs.js';
import { Database } from '../../kernel/tenancy/database.js';
import { Transactions } from '../../kernel/tenancy/transactions.js';
import { sha256 } from './refresh-tokens.js';

const mailKinds = ['verify-email', 'reset-password', 'address-taken', 'password-changed'] as const;
type MailKind = (typeof mailKinds)[number];

const MailJob = z.object({ kind: z.enum(mailKinds), userId: z.uuid() });

interface Text {
  subject: string;
  body: (link: string, token: string) => string;
}

const tokenHours: Partial<Record<MailKind, number>> = { 'verify-email': 24, 'reset-password': 0.5 };

const texts: Record<MailKind, Text> = {
  'verify-email': {
    subject: 'Please confirm your e-mail address',
    body: (link, token) =>
      `Confirm that this address is yours:\n\n${link}\n\nThe token alone: ${token}\n\nIt works for 24 hours. If you have not registered, do nothing: without it nobody can use the address.`,
  },
  'reset-password': {
    subject: 'Choose a new password',
    body: (link, token) =>
      `Somebody, we hope you, asked for a new password:\n\n${link}\n\nThe token alone: ${token}\n\n` +
      'It works once, for 30 minutes. If it was not you, ignore this mail: nothing has changed.',
  },
  'address-taken': {
    subject: 'You have an account already',
    body: (link) =>
      `Somebody, perhaps you, registered with this address. It has an account already: log in at ${link}, or ask there for a new password.`,
  },
  'password-changed': {
    subject: 'Your password was changed',
    body: (link) =>
      `The password of your account was changed, and all other sessions were ended.\n\nIf it was not you, reset it at once: ${link}`,
  },
};

/**
 * The mails of this module. A job carries only whom and what about; the one-time token is made when the mail is sent
 * and rests nowhere but as SHA-256. A mail that is sent twice brings a second token that ends the first.
 */
@Injectable()
export class AuthMails {
  constructor(
    private readonly jobs: Jobs,
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly mailer: Mailer,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Enqueues the mail in the caller's transaction. */
  post(kind: MailKind, userId: string): Promise<void> {
    return this.jobs.enqueue('auth.send-mail', { kind, userId });
  }

  @JobHandler('auth.send-mail', { payload: MailJob, maxAttempts: 12 })
  async send({ kind, userId }: z.infer<typeof MailJob>): Promise<void> {
    const token = randomBytes(32).toString('base64url');
    const to = await this.transactions.runAs({ service: 'send mail' }, () => this.prepare(kind, userId, token));
    if (!to) return;
    const { subject, body } = texts[kind];
    await this.mailer.send({ to, subject, text: `${body(this.link(kind, token), token)}\n` });
  }

  /** The address to write to, with the token noted; undefined when the user is gone meanwhile. */
  private async prepare(kind: MailKind, userId: string, token: string): Promise<string | undefined> {
    const user = await this.database.first<{ email: string | null }>('SELECT email FROM auth.users WHERE id = $1', [
      userId,
    ]);
    const hours = tokenHours[kind];
    if (!user?.email) return undefined;
    if (hours !== undefined) await this.database.query(replaceToken, [userId, kind, sha256(token), hours]);
    return user.email;
  }

  private link(kind: MailKind, token: string): string {
    const page = tokenHours[kind] === undefined ? 'login' : kind;
    // The token stands behind #: a browser sends it to no server, so no log and no referrer gets it.
    return tokenHours[kind] === undefined
      ? `${this.config.appUrl}/${page}`
      : `${this.config.appUrl}/${page}#token=${token}`;
  }
}

const replaceToken = `
  WITH replaced AS (DELETE FROM auth.one_time_tokens WHERE user_id = $1 AND purpose = $2)
  INSERT INTO auth.one_time_tokens (user_id, purpose, token_hash, expires_at)
  VALUES ($1, $2, $3, now() + make_interval(secs => $4::float8 * 3600))`;
