import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Mailer } from '../../../integrations/mail/mailer.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { AttemptLimits } from '../../../kernel/http/attempt-limits.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

const InvitationJob = z.object({ invitationId: z.uuid() });

interface Pending {
  email: string;
  tenant: string;
  role: string;
}

/** Mails invitations. The token is made here, so that it rests nowhere but as SHA-256. */
@Injectable()
export class InvitationMails {
  constructor(
    private readonly jobs: Jobs,
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly mailer: Mailer,
    private readonly attempts: AttemptLimits,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Enqueues the mail in the caller's transaction. */
  post(invitationId: string): Promise<void> {
    return this.jobs.enqueue('clinics.send-invitation', { invitationId });
  }

  @JobHandler('clinics.send-invitation', { payload: InvitationJob, maxAttempts: 12 })
  async send({ invitationId }: z.infer<typeof InvitationJob>): Promise<void> {
    await this.slowDown(invitationId);
    const token = randomBytes(32).toString('base64url');
    const values = [invitationId, sha256(token)];
    const pending = await this.transactions.runAs({ service: 'send mail' }, () =>
      this.database.first<Pending>(noteToken, values),
    );
    if (!pending) return;
    await this.mailer.send({
      to: pending.email,
      subject: `You are invited to ${pending.tenant}`,
      text: this.text(pending, token),
    });
    await this.transactions.runAs({ service: 'send mail' }, () => this.database.query(noteSent, [invitationId]));
  }

  /**
   * Whoever is invited need not know us, so not many mails go to one address: the job fails, and waits with its mail.
   * Here and not in the request, which may hold a connection already and must not wait for a second.
   */
  private async slowDown(invitationId: string): Promise<void> {
    const invited = await this.transactions.runAs({ service: 'send mail' }, () =>
      this.database.first<{ email: string }>('SELECT email FROM public.invitations WHERE id = $1', [invitationId]),
    );
    if (invited) await this.attempts.begin('mail', { account: sha256(invited.email) });
  }

  private text({ tenant, role }: Pending, token: string): string {
    const link = `${this.config.appUrl}/accept-invitation#token=${token}`;
    return `You are invited to ${tenant} as ${role.replace('_', ' ')}:\n\n${link}\n\nThe token alone: ${token}\n\nIt works once, for 7 days.\n`;
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

const noteToken = `
  UPDATE public.invitations i SET token_hash = $2
   WHERE i.id = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now()
  RETURNING i.email,
    coalesce((SELECT c.name FROM public.clinics c WHERE c.id = i.clinic_id),
             (SELECT o.name FROM public.organisations o WHERE o.id = i.organisation_id)) AS tenant,
    coalesce(i.clinic_role::text, i.organisation_role::text) AS role`;

const noteSent = 'UPDATE public.invitations SET sent_at = now() WHERE id = $1';
