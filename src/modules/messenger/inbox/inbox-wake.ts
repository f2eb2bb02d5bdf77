import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { JobFailure } from '../../../kernel/jobs/job-failure.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { LOGGER } from '../../../kernel/observability/logger.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { InboxQueue } from './inbox-queue.js';
import { keyOfShard, processJob } from './inbox-shards.js';

const leastPauseMs = 100;

/**
 * Tells the workers that there is something in the inbox. A delivery is answered without waiting for it; a wake that is
 * lost is made good within a minute.
 */
@Injectable()
export class InboxWake implements BeforeApplicationShutdown {
  private due: NodeJS.Timeout | undefined;
  private lastAt = 0;

  constructor(
    private readonly transactions: Transactions,
    private readonly jobs: Jobs,
    private readonly queue: InboxQueue,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** After the commit of what shall be worked off. Never throws, and wakes at most every 100 ms. */
  wake(): void {
    if (this.due) return;
    const pauseMs = Math.max(0, this.lastAt + leastPauseMs - performance.now());
    this.due = setTimeout(() => void this.enqueue(), pauseMs);
    this.due.unref();
  }

  /** While there are connections: nobody wakes for what was taken in last, otherwise. */
  async beforeApplicationShutdown(): Promise<void> {
    if (this.due) await this.enqueue();
  }

  private async enqueue(): Promise<void> {
    clearTimeout(this.due);
    // From here on whoever wakes is heard anew: what they committed may come too late for these jobs.
    this.due = undefined;
    this.lastAt = performance.now();
    try {
      await this.transactions.runAs({ service: 'process webhooks' }, async () => {
        for (const shard of await this.queue.due())
          await this.jobs.enqueue(processJob, { shard }, { key: keyOfShard(shard) });
      });
    } catch (error) {
      this.logger.warn({ failure: new JobFailure(error).message }, 'wake of the inbox');
    }
  }
}
