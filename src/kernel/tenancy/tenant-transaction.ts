import type { Pool, PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { answeredWithin, copyInto, copyOut, inOneWrite } from '../database/connection.js';
import { firstCause, isConnectionFailure } from '../database/failures.js';
import { namedStatement } from '../database/statements.js';

/** The statement that tells the database who is asking; sent in the same flight as the first one of the handler. */
export interface Prelude {
  role: string;
  text: string;
  values: readonly unknown[];
  readOnly: boolean;
}

export interface TransactionOptions {
  namedStatements: boolean;
  /** After so long without an answer the server is taken to be gone. Longer than its own timeouts. */
  silenceMs: number;
  /** Called once the prelude was accepted; what it throws rolls back. */
  onAccepted?: (() => Promise<void>) | undefined;
}

/** What a transaction cost, for the log line and the metrics of its request. */
export interface TransactionCost {
  statements: number;
  flights: number;
}

/** What leaves a transaction such that it can be tried again from its start. */
const writesNothing = new Set(['SELECT', 'SAVEPOINT', 'RELEASE']);

/**
 * One transaction as one database role, opened by its first statement.
 *
 * BEGIN, the prelude and that first statement leave in one flight; when the prelude refuses, the statement fails with
 * it and nothing was read. COMMIT is a flight of its own, and the answer waits for it.
 */
export class TenantTransaction {
  readonly cost: TransactionCost = { statements: 0, flights: 0 };
  /** Whether a statement that may have changed something has succeeded. */
  wrote = false;
  /** What follows a commit and needs a connection of its own: never while this one is held, or the pool runs dry. */
  readonly afterCommit: (() => Promise<unknown>)[] = [];
  /** Whether COMMIT was sent: from then on a lost connection leaves the outcome unknown. */
  committing = false;
  private client: Promise<PoolClient> | undefined;
  private finished = false;
  private failure: unknown;
  /** Savepoints that are set, one within the other. */
  private attempts = 0;

  constructor(
    private readonly pool: Pool,
    private readonly prelude: Prelude,
    private readonly options: TransactionOptions,
  ) {}

  /** Runs one statement; rejects with the first cause when this flight or an earlier one failed. */
  async query<Row extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<QueryResult<Row>> {
    if (this.finished) throw new Error('The transaction has ended: a statement was not awaited.');
    if (this.failure !== undefined) throw this.failure;
    const opening = this.client === undefined;
    this.client ??= this.pool.connect();
    const client = await this.client;
    try {
      const result = opening
        ? await this.openWith<Row>(client, text, values)
        : await this.send<Row>(client, text, values);
      this.wrote ||= !writesNothing.has(result.command);
      return result;
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }

  /**
   * COPY ... FROM STDIN of what the source yields, in a transaction that an earlier statement has opened: the role and
   * the context must hold before the first row is read.
   */
  async copyFrom(text: string, source: Iterable<string>): Promise<void> {
    await this.copy((client) => copyInto(client, text, source));
    this.wrote = true;
  }

  /** COPY ... TO STDOUT, in a transaction that is open for the same reason. A row's bytes hold until the next row. */
  copyTo(text: string, take: (row: Buffer) => void): Promise<void> {
    return this.copy((client) => copyOut(client, text, take));
  }

  /** Whether a connection is held. */
  get isOpen(): boolean {
    return this.client !== undefined;
  }

  /**
   * Runs work under a savepoint: what it did is undone when it throws, and the transaction goes on without it.
   *
   * @param depth the number of attempts that the caller stands in. Two at once on one connection would undo each other.
   */
  async attempt<T>(depth: number, work: () => Promise<T>): Promise<T> {
    if (depth !== this.attempts) throw new Error('Attempts in one transaction come one after the other.');
    this.attempts += 1;
    try {
      await this.query(`SAVEPOINT attempt_${depth}`, []);
      return await this.undoable(depth, work);
    } finally {
      this.attempts -= 1;
    }
  }

  /** Makes what was written last, in one flight. A transaction that was never opened costs nothing. */
  async commit(): Promise<void> {
    const client = await this.end();
    if (!client) return;
    if (this.failure !== undefined) {
      await this.abandon(client);
      throw this.failure;
    }
    this.committing = true;
    await this.conclude(client, 'COMMIT');
  }

  /** Undoes everything. Never throws: the reason for the rollback is what the caller reports. */
  async rollback(): Promise<void> {
    try {
      const client = await this.end();
      if (client) await this.abandon(client);
    } catch {
      // The connection could not be had or is gone: the server has rolled back by itself.
    }
  }

  private async undoable<T>(depth: number, work: () => Promise<T>): Promise<T> {
    const following = this.afterCommit.length;
    try {
      const result = await work();
      await this.query(`RELEASE SAVEPOINT attempt_${depth}`, []);
      return result;
    } catch (error) {
      this.afterCommit.length = following;
      await this.undo(depth);
      throw error;
    }
  }

  /** Back to where the attempt began. Of a connection that is lost nothing is left to go back to. */
  private async undo(depth: number): Promise<void> {
    const client = await this.client;
    if (!client || this.finished || isConnectionFailure(this.failure)) return;
    try {
      await this.send(client, `ROLLBACK TO SAVEPOINT attempt_${depth}`, []);
      await this.send(client, `RELEASE SAVEPOINT attempt_${depth}`, []);
      this.failure = undefined;
    } catch (error) {
      this.failure = error;
    }
  }

  private async openWith<Row extends QueryResultRow>(client: PoolClient, text: string, values: readonly unknown[]) {
    const { role, readOnly } = this.prelude;
    this.cost.flights += 1;
    this.cost.statements += 3;
    const answers = inOneWrite(
      client,
      () =>
        [
          client.query(readOnly ? 'BEGIN READ ONLY' : 'BEGIN'),
          client.query(this.named('prelude', this.prelude.text, this.prelude.values)),
          client.query<Row>(this.named(role, text, values)),
        ] as const,
    );
    const flight = await answeredWithin(client, this.options.silenceMs, Promise.allSettled(answers));
    const [, , first] = flight;
    const cause = firstCause(flight);
    if (cause !== undefined || first.status === 'rejected') throw cause;
    await this.options.onAccepted?.();
    return first.value;
  }

  private async send<Row extends QueryResultRow>(client: PoolClient, text: string, values: readonly unknown[]) {
    this.cost.flights += 1;
    this.cost.statements += 1;
    const answer = client.query<Row>(this.named(this.prelude.role, text, values));
    return answeredWithin(client, this.options.silenceMs, answer);
  }

  private async copy<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    if (this.finished || this.client === undefined) throw new Error('COPY needs an open transaction.');
    if (this.failure !== undefined) throw this.failure;
    const client = await this.client;
    this.cost.flights += 1;
    this.cost.statements += 1;
    try {
      return await answeredWithin(client, this.options.silenceMs, work(client));
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }

  private named(role: string, text: string, values: readonly unknown[]): QueryConfig {
    return this.options.namedStatements ? namedStatement(role, text, values) : { text, values: [...values] };
  }

  /** Hands the connection to whoever ends the transaction first: a second end would meet the next borrower's. */
  private end(): Promise<PoolClient | undefined> | undefined {
    this.finished = true;
    const { client } = this;
    this.client = undefined;
    return client;
  }

  private async abandon(client: PoolClient): Promise<void> {
    if (isConnectionFailure(this.failure)) client.release(true);
    else await this.conclude(client, 'ROLLBACK');
  }

  /** A connection on which the transaction did not end cleanly is closed, never handed to the next request. */
  private async conclude(client: PoolClient, command: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    this.cost.flights += 1;
    this.cost.statements += 1;
    try {
      const outcome = await answeredWithin(client, this.options.silenceMs, client.query(command));
      // COMMIT of a transaction that failed unseen answers ROLLBACK: what the caller believes written is not.
      if (outcome.command !== command) throw new Error(`${command} was answered by ${outcome.command}.`);
      client.release();
    } catch (error) {
      client.release(true);
      throw error;
    }
  }
}
