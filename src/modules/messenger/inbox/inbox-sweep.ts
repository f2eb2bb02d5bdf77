import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

const dayMs = 24 * 60 * 60_000;
/** What belongs to nobody waits so long for its page; what is done with, so long for a second delivery. */
const keptMs = 7 * dayMs;
/** What was given up waits so long for somebody who lets it run again. */
const failedKeptMs = 30 * dayMs;

const sweptAtOnce = 2_000;

/** Takes out of the inbox what nobody needs any more, a few at a time. */
@Injectable()
export class InboxSweep {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
  ) {}

  @Scheduled('41 3 * * *')
  @JobHandler('messenger.sweep-events', { payload: z.object({}) })
  async sweep(): Promise<void> {
    await this.untilNothingIsLeft(discardUnresolved, keptMs);
    await this.untilNothingIsLeft(deleteEnded, keptMs);
    await this.untilNothingIsLeft(deleteFailed, failedKeptMs);
  }

  private async untilNothingIsLeft(statement: string, ageMs: number): Promise<void> {
    const before = new Date(Date.now() - ageMs);
    const values = [before, earliestIdAt(before), sweptAtOnce];
    for (;;) {
      const swept = await this.transactions.runAs({ service: 'sweep webhooks' }, () =>
        this.database.query(statement, values),
      );
      if (swept.length < sweptAtOnce) return;
    }
  }
}

/** Ids begin with the time at which they were made (RFC 9562), so that the primary key finds what is old. */
function earliestIdAt(time: Date): string {
  const hex = time.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

const discardUnresolved = `
  UPDATE public.webhook_events SET state = 'discarded', payload_sealed = NULL, processed_at = now()
   WHERE id IN (SELECT e.id FROM public.webhook_events e
                 WHERE e.state = 'unresolved' AND e.id < $2::uuid AND e.received_at < $1 ORDER BY e.id LIMIT $3)
  RETURNING id`;

const deleteEnded = `
  DELETE FROM public.webhook_events
   WHERE id IN (SELECT e.id FROM public.webhook_events e
                 WHERE e.id < $2::uuid AND e.state IN ('processed', 'discarded') AND e.processed_at < $1
                 ORDER BY e.id LIMIT $3)
  RETURNING id`;

const deleteFailed = `
  DELETE FROM public.webhook_events
   WHERE id IN (SELECT e.id FROM public.webhook_events e
                 WHERE e.state = 'failed' AND e.id < $2::uuid AND e.received_at < $1 ORDER BY e.id LIMIT $3)
  RETURNING id`;
