import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Mailer } from '../../../integrations/mail/mailer.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { mailBody } from './mail-body.js';
import type { ReportKind } from './period.js';
import { contentTypes, fileNameOf } from './rendering.js';
import { DeliveryBusy } from './reports.errors.js';
import type { Report } from './reports.schemas.js';
import { ReportsService } from './reports.service.js';

const MailJob = z.object({ deliveryId: z.uuid() });

interface Claim {
  id: string;
  clinicId: string;
  userId: string;
  kind: ReportKind;
  period: string;
  /** Null for somebody to whom nothing can or may be sent. */
  email: string | null;
}

/**
 * Mails a report: claim, make, send, record. Between sending and recording lies the one moment in which a crash makes a
 * second copy; it carries the same Message-ID.
 */
@Injectable()
export class ReportMails {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly reports: ReportsService,
    private readonly mailer: Mailer,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @JobHandler('reports.mail', { payload: MailJob, maxAttempts: 12 })
  async send({ deliveryId }: z.infer<typeof MailJob>): Promise<void> {
    const claim = await this.claim(deliveryId);
    if (!claim) return;
    try {
      const report = claim.email === null ? undefined : await this.reportFor(claim);
      if (!report || claim.email === null) return await this.note(skip, claim);
      await this.mail(claim, claim.email, report);
    } catch (error) {
      await this.note(release, claim);
      throw error;
    }
    await this.note(recordSent, claim);
  }

  /** Undefined for what was sent or skipped already. @throws DeliveryBusy while another worker is at it */
  private claim(deliveryId: string): Promise<Claim | undefined> {
    return this.transactions.runAs({ service: 'mail reports' }, async () => {
      const claim = await this.database.first<Claim>(claimDelivery, [deliveryId, this.config.requireVerifiedEmail]);
      if (claim) return claim;
      const open = await this.database.first(findOpen, [deliveryId]);
      if (open) throw new DeliveryBusy();
      return undefined;
    });
  }

  /** As the subscriber, so that the policies decide what is in it. Undefined when they may see the clinic no more. */
  private async reportFor({ clinicId, userId, kind, period }: Claim): Promise<Report | undefined> {
    const actor = { user: userId, reason: 'mail reports' as const };
    return this.transactions.runAs(actor, async () => {
      const visible = await this.database.first(findActiveClinic, [clinicId]);
      return visible ? this.reports.make(clinicId, kind, period) : undefined;
    });
  }

  /** No transaction is open while the report is drawn and the mail server is spoken to. */
  private async mail({ id }: Claim, to: string, report: Report): Promise<void> {
    const { pdfDocument } = await import('./pdf-document.js');
    const content = await pdfDocument(report);
    const attachment = { fileName: fileNameOf(report), contentType: contentTypes.pdf, content };
    const subject = `${report.clinic.name}: ${report.title}`;
    await this.mailer.send({ id, to, subject, ...mailBody(report), attachments: [attachment] });
  }

  private async note(statement: string, { id }: Claim): Promise<void> {
    await this.transactions.runAs({ service: 'mail reports' }, () => this.database.query(statement, [id]));
  }
}

/**
 * A claim of two minutes ago is that of a worker that was killed: the timeouts of mail and statements are shorter.
 * Somebody who is disabled or deleted, or has an address that nobody verified where that is asked for, gets no mail.
 */
const claimDelivery = `
  UPDATE public.report_deliveries d SET state = 'sending', claimed_at = clock_timestamp()
   WHERE d.id = $1
     AND (d.state = 'pending' OR (d.state = 'sending' AND d.claimed_at < clock_timestamp() - interval '2 minutes'))
  RETURNING d.id, d.clinic_id, d.user_id, d.kind, d.period,
    (SELECT u.email::text FROM auth.users u
      WHERE u.id = d.user_id AND u.disabled_at IS NULL AND (u.email_verified_at IS NOT NULL OR NOT $2::boolean)) AS email`;

const findOpen = `SELECT id FROM public.report_deliveries WHERE id = $1 AND state = 'sending'`;

const findActiveClinic = `SELECT id FROM public.clinics WHERE id = $1 AND status = 'active'`;

const recordSent = `
  UPDATE public.report_deliveries SET state = 'sent', sent_at = clock_timestamp() WHERE id = $1 AND state = 'sending'`;

const skip = `UPDATE public.report_deliveries SET state = 'skipped' WHERE id = $1 AND state = 'sending'`;

const release = `UPDATE public.report_deliveries SET state = 'pending' WHERE id = $1 AND state = 'sending'`;
