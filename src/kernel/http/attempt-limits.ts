import { Inject, Injectable } from '@nestjs/common';
import type { QueryResult } from 'pg';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { CONFIG, type Config } from '../config/config.js';
import { currentStore } from '../tenancy/request-context.js';
import { Transactions } from '../tenancy/transactions.js';
import { TooManyRequests } from './http.errors.js';
import { networkOf } from './networks.js';

/** Log-ins, refreshes, mails that somebody has sent to an address, and tokens out of mails. */
export type AttemptKind = 'login' | 'refresh' | 'mail' | 'token';

/** Whose attempt it is. Neither may be readable where it names a person: hash an e-mail address. */
export interface Attempt {
  /** The account that is tried: forgotten as soon as one attempt is right. */
  account?: string;
  /** Where it comes from, an address or a session: one right attempt from there says nothing of the others. */
  source?: string;
}

interface Key {
  text: string;
  free: number;
  attempts: RateLimiterPostgres;
}

const accountMemorySeconds = 24 * 60 * 60;
/** Short: the mistakes of a day, of all who share an address, must not add up to a wall for each of them. */
const sourceMemorySeconds = 15 * 60;

/** A clinic's staff logs in from one address, and in the same minute. */
const peoplePerSource = 10;

/**
 * Slows down guessing: some attempts are free, then one is let through per delay, and the delay doubles up to a limit.
 * It never locks for good. Counted in PostgreSQL, so that all instances count together.
 */
@Injectable()
export class AttemptLimits {
  private readonly ofAccounts: RateLimiterPostgres;
  private readonly ofSources: RateLimiterPostgres;
  private readonly gate: RateLimiterPostgres;
  private readonly freeAttempts: number;
  private readonly longestWaitSeconds: number;

  constructor(
    private readonly transactions: Transactions,
    @Inject(CONFIG) config: Config,
  ) {
    this.freeAttempts = config.rateLimits.freeAttempts;
    this.longestWaitSeconds = config.rateLimits.longestWaitSeconds;
    this.ofAccounts = this.limiter('attempts', Number.MAX_SAFE_INTEGER, accountMemorySeconds);
    this.ofSources = this.limiter('source', Number.MAX_SAFE_INTEGER, sourceMemorySeconds);
    this.gate = this.limiter('gate', 1, 1);
  }

  /**
   * Counts an attempt before it is made, so that many at once cannot slip through.
   *
   * @throws TooManyRequests while the delay after earlier failures runs
   */
  async begin(kind: AttemptKind, attempt: Attempt): Promise<void> {
    for (const key of this.keysOf(kind, attempt)) await this.count(key);
  }

  /** Once what is done now is committed, the account's failures are forgotten, and the source has one less. */
  succeed(kind: AttemptKind, { account, source }: Attempt): void {
    const { afterCommit } = currentStore().transaction;
    if (account) afterCommit.push(() => this.forget(keyOf(kind, account)));
    if (source) afterCommit.push(() => this.ofSources.reward(keyOf(kind, networkOf(source))));
  }

  private async forget(key: string): Promise<void> {
    await this.ofAccounts.delete(key);
    await this.gate.delete(key);
  }

  private keysOf(kind: AttemptKind, { account, source }: Attempt): Key[] {
    const keys: Key[] = [];
    const free = this.freeAttempts;
    // A source that has to wait must not make the account wait longer.
    if (source)
      keys.push({ text: keyOf(kind, networkOf(source)), free: free * peoplePerSource, attempts: this.ofSources });
    if (account) keys.push({ text: keyOf(kind, account), free, attempts: this.ofAccounts });
    return keys;
  }

  private async count({ text, free, attempts }: Key): Promise<void> {
    const waiting = await this.gate.get(text);
    if (waiting && waiting.msBeforeNext > 0) throw tooMany(waiting);
    const { consumedPoints } = await attempts.penalty(text);
    if (consumedPoints <= free) return;
    const delay = Math.min(2 ** (consumedPoints - free - 1), this.longestWaitSeconds);
    try {
      await this.gate.consume(text, 1, { customDuration: delay });
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

const keyOf = (kind: AttemptKind, whose: string): string => `${kind}:${whose}`;

function tooMany({ msBeforeNext }: RateLimiterRes): Error {
  return new TooManyRequests('Too many attempts: wait before the next one.', {
    retryAfter: Math.max(1, Math.ceil(msBeforeNext / 1000)),
  });
}
