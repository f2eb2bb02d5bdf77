import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { InboxQueue } from './inbox-queue.js';
import { keyOfShard, processJob } from './inbox-shards.js';
import { InboxWorker } from './inbox-worker.js';
import { ParticipantNames } from './participant-names.js';

const ProcessJob = z.object({ shard: z.int().min(0) });

/** Works the inbox off, each part by one worker at a time. */
@Injectable()
export class InboxJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly jobs: Jobs,
    private readonly queue: InboxQueue,
    private readonly worker: InboxWorker,
    private readonly names: ParticipantNames,
  ) {}

  @JobHandler(processJob, { payload: ProcessJob })
  async process({ shard }: z.infer<typeof ProcessJob>): Promise<void> {
    const waitMs = await this.worker.work(shard);
    if (waitMs !== undefined) await this.asService(() => this.goOn(shard, waitMs));
  }

  /** What was taken in by a process that died before it woke anybody, and what a killed worker left. */
  @Scheduled('* * * * *')
  @JobHandler('messenger.find-events', { payload: z.object({}) })
  async find(): Promise<void> {
    await this.asService(async () => {
      for (const shard of await this.queue.due()) await this.goOn(shard, 0);
    });
    if (await this.asService(() => this.names.isAnyNameless())) await this.names.enqueue();
  }

  /** What waits to be tried again has a key of its own: a wake would bring its job forward, and forget the time. */
  private goOn(shard: number, waitMs: number): Promise<void> {
    const key = keyOfShard(shard);
    if (waitMs === 0) return this.jobs.enqueue(processJob, { shard }, { key });
    return this.jobs.enqueue(processJob, { shard }, { key: `${key}:later`, runAt: new Date(Date.now() + waitMs) });
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'process webhooks' }, work);
  }
}
