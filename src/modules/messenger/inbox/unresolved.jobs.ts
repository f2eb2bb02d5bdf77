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

/** What follows once a page is connected: what waited for it is processed, and its conversations are where it is. */
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
    // Batches that knew of the connection of before are over by now: none begins a conversation where it was.
    await this.transactions.runAs({ service: 'process webhooks' }, () =>
      this.database.query(moveConversations, [pageIds]),
    );
    this.wake.wake();
  }
}

const resolveEvents = `
  UPDATE public.webhook_events SET state = 'received', attempts = 0, error_code = NULL, next_attempt_at = now()
   WHERE state = 'unresolved' AND page_id = ANY ($2::text[]) AND shard = $1::integer`;

/**
 * A page or account that is connected for another clinic takes its conversations along. Who was handed one in the clinic of
 * before has it no more, or they would go on reading what is written to the new one.
 */
const moveConversations = `
  UPDATE public.conversations c
     SET clinic_id = place.clinic_id, assigned_to = CASE WHEN c.assigned_to = c.owner_id THEN c.assigned_to END
    FROM (
      SELECT owner_id, 'messenger' AS channel, page_id, clinic_id FROM public.messenger_connections
       WHERE is_active AND page_id = ANY ($1::text[])
      UNION ALL
      SELECT doctor_id, 'instagram', instagram_page_id, clinic_id FROM public.doctor_instagram
       WHERE instagram_page_id = ANY ($1::text[])
      UNION ALL
      SELECT d.doctor_id, 'messenger', d.facebook_page_id, d.clinic_id FROM public.doctor_instagram d
       WHERE d.facebook_page_id = ANY ($1::text[])
         AND NOT EXISTS (SELECT FROM public.messenger_connections m WHERE m.page_id = d.facebook_page_id AND m.is_active)
    ) place
   WHERE c.owner_id = place.owner_id AND c.channel = place.channel AND c.page_id = place.page_id
     AND c.clinic_id IS DISTINCT FROM place.clinic_id`;
