import { Readable, type ReadableOptions } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { QueryResultRow } from 'pg';
import { camelCased } from '../database/column-names.js';
import { currentStore, inThisContext, runInContext } from './request-context.js';
import { Transactions } from './transactions.js';

/** The one way to data: SQL in the transaction of the running request or job, under the policies of its role. */
@Injectable()
export class Database {
  constructor(private readonly transactions: Transactions) {}

  /** Runs one statement and returns its rows with camel-case keys. Times are Date, numeric is string, bigint is string. */
  async query<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const result = await currentStore().transaction.query<QueryResultRow>(text, values);
    return camelCased<Row>(result);
  }

  /** The single row of a statement, or undefined when policies or filters left none. */
  async first<Row>(text: string, values: readonly unknown[] = []): Promise<Row | undefined> {
    const [row] = await this.query<Row>(text, values);
    return row;
  }

  /** COPY ... FROM STDIN in the running transaction, which a statement must have opened. Policies allow it on temporary tables only. */
  copyFrom(text: string, source: Iterable<string>): Promise<void> {
    return currentStore().transaction.copyFrom(text, source);
  }

  /**
   * COPY ... TO STDOUT in the running transaction, which a statement must have opened. As fast as the server writes, so
   * only for what memory can hold; the bytes of a row are its own until the next one comes.
   */
  copyTo(text: string, take: (row: Buffer) => void): Promise<void> {
    return currentStore().transaction.copyTo(text, take);
  }

  /**
   * Runs work in a transaction of its own with the same context, committed when it returns. For steps around slow work
   * (hashing, a provider's answer) during which no connection may be held.
   */
  separately<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.inContext(currentStore().context, work);
  }

  /** What follows once the running transaction is committed, before its result is known; not at all when it is rolled back. */
  afterCommit(follow: () => void): void {
    currentStore().transaction.afterCommit.push(async () => follow());
  }

  /**
   * Runs work under a savepoint of the running transaction. When it throws, only what it did is undone, the error goes on
   * to the caller, and the transaction can be used further. Attempts come one after the other, or one within the other.
   *
   * A connection that is lost takes the whole transaction with it: then nothing further can be done in it.
   */
  attempt<T>(work: () => Promise<T>): Promise<T> {
    const store = currentStore();
    const attempts = store.attempts ?? 0;
    return store.transaction.attempt(attempts, () => runInContext({ ...store, attempts: attempts + 1 }, work));
  }

  /**
   * Items that are fetched while a client reads them, long after the request's transaction was committed: in `separately`,
   * which works in here as it does in the handler. No more is fetched than is read.
   */
  stream<Item>(items: AsyncIterable<Item>, options?: ReadableOptions): Readable {
    return Readable.from(inThisContext(items), options);
  }
}
