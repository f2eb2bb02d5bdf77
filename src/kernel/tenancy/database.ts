import { Injectable } from '@nestjs/common';
import type { QueryResultRow } from 'pg';
import { camelCased } from '../database/column-names.js';
import { currentStore } from './request-context.js';
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
   * Runs work in a transaction of its own with the same context, committed when it returns. For steps around slow work
   * (hashing, a provider's answer) during which no connection may be held.
   */
  separately<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.inContext(currentStore().context, work);
  }
}
