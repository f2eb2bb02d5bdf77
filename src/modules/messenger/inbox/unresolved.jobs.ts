import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { InboxQueue } from './inbox-queue.js';
import { shards } from './inbox-shards.js';
import { InboxWake } from './inbox-wake.js';
import { resolveJob } from './unresolved-events.js';

const ResolveJob = z.object({ pageIds: z.array(z.string()) });

/** What waited for its page is processed once the page is connected. */
@Injectable()
export class UnresolvedJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly queue: InboxQueue,
    private readonly wake: InboxWake,
  ) {}

  @JobHandler(resolveJob, { payload: ResolveJob })
  async resolve({ pageIds }: z.infer<typeof ResolveJob>): Promise<void> {
    for (const shard of shards)
      await this.transactions.runAs({ service: 'process webhooks' }, async () => {
        // A batch that began before the page was connected may yet put an event aside: that batch is waited for.
        await this.queue.awaitHold(shard);
        await this.database.query(resolveEvents, [shard, pageIds]);
      });
    this.wake.wake();
  }
}

const resolveEvents = `
  UPDATE public.webhook_events SET state = 'received', attempts = 0, error_code = NULL, next_attempt_at = now()
   WHERE state = 'unresolved' AND page_id = ANY ($2::text[]) AND shard = $1::integer`;
