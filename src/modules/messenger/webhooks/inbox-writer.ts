import { Injectable } from '@nestjs/common';
import { isConnectionFailure } from '../../../kernel/database/failures.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { type EventRow, ReceivedEvents } from './received-events.js';

/** A delivery that waits to be written. */
interface Waiting {
  rows: readonly EventRow[];
  resolve(stored: number): void;
  reject(error: unknown): void;
}

/** Two, so that one is filled while the other is written to the disk; and the rest of the pool is for everybody else. */
const parallelGroups = 2;

/** A delivery that brings more is a group by itself. */
const eventsOfGroup = 1_000;

/**
 * Writes deliveries to the inbox. What a transaction costs is its way to the disk, which is the same for one delivery as
 * for fifty: those that come while others are being written go together in the next one, and each is answered after its commit.
 */
@Injectable()
export class InboxWriter {
  private waiting: Waiting[] = [];
  private running = 0;

  constructor(
    private readonly transactions: Transactions,
    private readonly received: ReceivedEvents,
  ) {}

  /** How many of the events are new, once they are committed; when it throws, none of them is kept. */
  write(rows: readonly EventRow[]): Promise<number> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ rows, resolve, reject });
      if (this.running < parallelGroups) void this.work();
    });
  }

  private async work(): Promise<void> {
    this.running += 1;
    for (let group = this.next(); group.length > 0; group = this.next()) await this.settle(group);
    this.running -= 1;
  }

  private next(): Waiting[] {
    let events = 0;
    const tooMany = this.waiting.findIndex(({ rows }, index) => {
      events += rows.length;
      return index > 0 && events > eventsOfGroup;
    });
    return this.waiting.splice(0, tooMany < 0 ? this.waiting.length : tooMany);
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
