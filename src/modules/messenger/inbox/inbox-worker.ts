import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { LOGGER } from '../../../kernel/observability/logger.js';
import { Metrics } from '../../../kernel/observability/metrics.js';
import { currentStore } from '../../../kernel/tenancy/request-context.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { EventBatches } from './event-batches.js';
import { type Conclusion, InboxQueue } from './inbox-queue.js';

/** How long one job works at a stretch: other jobs want their turn, and a process that stops does not wait long. */
const turnMs = 2_000;

/**
 * Works one part of the inbox off, batch by batch. Each batch is a transaction that has the part for itself: whoever is
 * killed in it has done nothing, and what was processed is processed once.
 */
@Injectable()
export class InboxWorker {
  private readonly processed: Counter<'kind' | 'outcome'>;

  constructor(
    private readonly transactions: Transactions,
    private readonly queue: InboxQueue,
    private readonly batches: EventBatches,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    const help = 'Events of the inbox that were taken, by what they were and what became of them';
    this.processed = metrics.counter('webhook_events_processed_total', help, ['kind', 'outcome']);
  }

  /**
   * @returns after how many milliseconds somebody should go on; undefined when there is nothing left to do, or another one
   * does it. That one looks again after it has let go, so that nothing is overlooked which came meanwhile.
   */
  async work(shard: number): Promise<number | undefined> {
    const until = performance.now() + turnMs;
    while (performance.now() < until) {
      const taken = await this.transactions.runAs({ service: 'process webhooks' }, () => this.batch(shard));
      if (taken === 'held by another') return undefined;
      if (taken > 0) continue;
      const waitMs = await this.transactions.runAs({ service: 'process webhooks' }, () =>
        this.queue.nextAfterMs(shard),
      );
      if (waitMs !== 0) return waitMs;
    }
    return 0;
  }

  private async batch(shard: number): Promise<number | 'held by another'> {
    if (!(await this.queue.hold(shard))) return 'held by another';
    const taken = await this.queue.take(shard);
    if (taken.length === 0) return 0;
    const conclusions = await this.batches.process(taken);
    await this.queue.conclude(conclusions);
    currentStore().transaction.afterCommit.push(async () => this.tell(conclusions));
    return taken.length;
  }

  private tell(conclusions: readonly Conclusion[]): void {
    for (const { id, kind, state, attempts, errorCode } of conclusions) {
      const outcome = state === 'received' ? 'retried' : state;
      this.processed.inc({ kind: kind ?? 'none', outcome });
      if (kind === null && errorCode !== null) this.logger.warn({ eventId: id, outcome, attempts, errorCode }, 'event');
    }
  }
}
