import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

/** So many deliveries in one transaction. */
const batch = 200;

/** Three months of all clinics are many rows. */
const cleaningTimeoutMs = 600_000;

/** Finds each hour whose reports are due: at 06:00 of the clinic's Monday, and of the 1st of its month. */
@Injectable()
export class ReportSchedule {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
  ) {}

  @Scheduled('4 * * * *')
  @JobHandler('reports.enqueue-due', { payload: z.object({}) })
  async run(): Promise<void> {
    await this.enqueueDue(new Date());
  }

  /** Long after a period can be due no more, so that none is sent again. */
  @Scheduled('29 3 1 * *')
  @JobHandler('reports.clean-deliveries', { payload: z.object({}) })
  async clean(): Promise<void> {
    const options = { statementTimeoutMs: cleaningTimeoutMs };
    await this.transactions.runAs({ service: 'mail reports' }, () => this.database.query(deleteOld), options);
  }

  /** A delivery and its job begin to exist together, and once: whoever comes second finds the row. */
  async enqueueDue(at: Date): Promise<void> {
    let found = batch;
    while (found === batch) {
      found = await this.transactions.runAs({ service: 'mail reports' }, async () => {
        const deliveries = await this.database.query<{ id: string }>(insertDue, [at, batch]);
        for (const { id } of deliveries) await this.jobs.enqueue('reports.mail', { deliveryId: id });
        return deliveries.length;
      });
    }
  }
}

/**
 * Due since the morning of the clinic's own Monday or 1st, and for three days: an outage over the morning delays a
 * report and does not lose it. Who subscribed after the morning waits for the next.
 */
const insertDue = `
  INSERT INTO public.report_deliveries (clinic_id, user_id, kind, period)
  SELECT s.clinic_id, s.user_id, s.kind, due.period
    FROM public.report_subscriptions s
    JOIN public.clinics c ON c.id = s.clinic_id AND c.status = 'active'
   CROSS JOIN LATERAL (SELECT $1::timestamptz AT TIME ZONE c.time_zone AS time) here
   CROSS JOIN LATERAL (
     SELECT (date_trunc('week', here.time) + interval '6 hours') AT TIME ZONE c.time_zone AS since,
            to_char(date_trunc('week', here.time) - interval '7 days', 'IYYY-"W"IW') AS period
      WHERE s.kind = 'weekly'
     UNION ALL
     SELECT (date_trunc('month', here.time) + interval '6 hours') AT TIME ZONE c.time_zone,
            to_char(date_trunc('month', here.time) - interval '1 month', 'YYYY-MM')
      WHERE s.kind = 'monthly') due
   WHERE $1 >= due.since AND $1 < due.since + interval '3 days' AND s.created_at <= due.since
     AND NOT EXISTS (SELECT FROM public.report_deliveries d
                      WHERE d.clinic_id = s.clinic_id AND d.user_id = s.user_id AND d.kind = s.kind AND d.period = due.period)
   ORDER BY s.clinic_id, s.user_id, s.kind LIMIT $2
  ON CONFLICT DO NOTHING
  RETURNING id`;

const deleteOld = `DELETE FROM public.report_deliveries WHERE created_at < now() - interval '90 days'`;
