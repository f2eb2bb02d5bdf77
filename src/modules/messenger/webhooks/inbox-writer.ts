import { Injectable } from '@nestjs/common';
import { isConnectionFailure } from '../../../kernel/database/failures.js';
import { DatabaseUnavailable } from '../../../kernel/http/http.errors.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { type EventRow, ReceivedEvents } from './received-events.js';

/** A delivery that waits to be written. */
interface Waiting {
  rows: readonly EventRow[];
  size: number;
  resolve(stored: number): void;
  reject(error: unknown): void;
}

/** Two, so that one is filled while the other is written to the disk; and the rest of the pool is for everybody else. */
const parallelGroups = 2;

/** A delivery that brings more is a group by itself. */
const eventsOfGroup = 1_000;

/** Characters, of a group and of all that wait: those of some dozens of the largest deliveries would fill the memory. */
const sizeOfGroup = 4 * 1024 * 1024;
const sizeOfWaiting = 32 * 1024 * 1024;

/**
 * Writes deliveries to the inbox. What a transaction costs is its way to the disk, which is the same for one delivery as
 * for fifty: those that come while others are being written go together in the next one, and each is answered after its commit.
 */
@Injectable()
export class InboxWriter {
  private waiting: Waiting[] = [];
  private waitingSize = 0;
  private running = 0;

  constructor(
    private readonly transactions: Transactions,
    private readonly received: ReceivedEvents,
  ) {}

  /**
   * How many of the events are new, once they are committed; when it throws, none of them is kept.
   *
   * @throws DatabaseUnavailable while it takes so much less than comes that Meta had better try again later
   */
  async write(rows: readonly EventRow[]): Promise<number> {
    const size = rows.reduce((sum, { sealed }) => sum + sealed.length, 0);
    if (this.waitingSize + size > sizeOfWaiting) throw new DatabaseUnavailable(undefined, { retryAfter: 1 });
    return new Promise((resolve, reject) => {
      this.waiting.push({ rows, size, resolve, reject });
      this.waitingSize += size;
      if (this.running < parallelGroups) void this.work();
    });
  }

  private async work(): Promise<void> {
    this.running += 1;
    for (let group = this.next(); group.length > 0; group = this.next()) await this.settle(group);
    this.running -= 1;
  }

  private next(): Waiting[] {
    let [events, size] = [0, 0];
    const tooMany = this.waiting.findIndex((each, index) => {
      events += each.rows.length;
      size += each.size;
      return index > 0 && (events > eventsOfGroup || size > sizeOfGroup);
    });
    const group = this.waiting.splice(0, tooMany < 0 ? this.waiting.length : tooMany);
    for (const each of group) this.waitingSize -= each.size;
    return group;
  }

  /** Each by itself when they cannot be written together: what is wrong with one is not the others' fault. */
  private async settle(group: readonly Waiting[]): Promise<void> {
    try {
      const stored = await this.insert(group.flatMap(({ rows }) => rows));
      for (const { rows, resolve } of group) resolve(rows.filter(({ id }) => stored.has(id)).length);
    } catch (error) {
      if (group.length > 1 && !isConnectionFailure(error)) for (const each of group) await this.settle([each]);
      else for (const { reject } of group) reject(error);
    }
  }

  private insert(rows: readonly EventRow[]): Promise<ReadonlySet<string>> {
    return this.transactions.runAs({ service: 'receive webhooks' }, () => this.received.insert(rows));
  }
}
