import { Inject, Injectable } from '@nestjs/common';
import type { QueryResult } from 'pg';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { CONFIG, type Config } from '../config/config.js';
import { currentStore } from '../tenancy/request-context.js';
import { Transactions } from '../tenancy/transactions.js';
import { TooManyRequests } from './http.errors.js';

export type AttemptKind = 'login' | 'refresh' | 'reset';

const memorySeconds = 24 * 60 * 60;

/**
 * Slows down guessing: some attempts are free, then one is let through per delay, and the delay doubles up to a limit.
 * It never locks for good. Counted in PostgreSQL, so that all instances count together.
 */
@Injectable()
export class AttemptLimits {
  private readonly attempts: RateLimiterPostgres;
  private readonly gate: RateLimiterPostgres;
  private readonly freeAttempts: number;
  private readonly longestWaitSeconds: number;

  constructor(
    private readonly transactions: Transactions,
    @Inject(CONFIG) config: Config,
  ) {
    this.freeAttempts = config.rateLimits.freeAttempts;
    this.longestWaitSeconds = config.rateLimits.longestWaitSeconds;
    this.attempts = this.limiter('attempts', Number.MAX_SAFE_INTEGER, memorySeconds);
    this.gate = this.limiter('gate', 1, 1);
  }

  /**
   * Counts an attempt before it is made, so that many at once cannot slip through. Keys name an account and an address;
   * they must not be readable (hash an e-mail address).
   *
   * @throws TooManyRequests while the delay after earlier failures runs
   */
  async begin(kind: AttemptKind, keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.beginOne(`${kind}:${key}`);
  }

  /** Forgets the failures: the attempt succeeded. */
  async succeed(kind: AttemptKind, keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await this.attempts.delete(`${kind}:${key}`);
      await this.gate.delete(`${kind}:${key}`);
    }
  }

  private async beginOne(key: string): Promise<void> {
    const waiting = await this.gate.get(key);
    if (waiting && waiting.msBeforeNext > 0) throw tooMany(waiting);
    const { consumedPoints } = await this.attempts.penalty(key);
    if (consumedPoints <= this.freeAttempts) return;
    const delay = Math.min(2 ** (consumedPoints - this.freeAttempts - 1), this.longestWaitSeconds);
    try {
      await this.gate.consume(key, 1, { customDuration: delay });
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) throw tooMany(refusal);
      throw refusal;
    }
  }

  private limiter(keyPrefix: string, points: number, duration: number): RateLimiterPostgres {
    return new RateLimiterPostgres({
      storeClient: { query: (statement: { text: string; values: unknown[] }) => this.run(statement) },
      storeType: 'pool',
      schemaName: 'app',
      tableName: 'rate_limits',
      tableCreated: true,
      clearExpiredByTimeout: false,
      keyPrefix,
      points,
      duration,
    });
  }

  /** The library reads the driver's own result. */
  private run({ text, values }: { text: string; values: unknown[] }): Promise<QueryResult> {
    return this.transactions.runAs({ service: 'count attempts' }, () => currentStore().transaction.query(text, values));
  }
}

function tooMany({ msBeforeNext }: RateLimiterRes): Error {
  return new TooManyRequests('Too many attempts: wait before the next one.', {
    retryAfter: Math.max(1, Math.ceil(msBeforeNext / 1000)),
  });
}
