import { Injectable } from '@nestjs/common';
import { Database } from '../tenancy/database.js';
import { Transactions } from '../tenancy/transactions.js';
import { type Digest, emptyDigest } from './archive-file.js';

interface Line {
  id: string;
  occurredAt: string;
  line: string;
}

interface DigestPart {
  lineCount: number;
  digest: string;
  lastAt: string | null;
  lastId: string | null;
}

const step = 5_000;

/** The months of the audit log, by the doors that the database has for them. Every call is a transaction of its own. */
@Injectable()
export class AuditMonths {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
  ) {}

  /** Makes the partitions of this month and of so many ahead, and those of lines that have none. */
  async make(ahead: number): Promise<void> {
    await this.ask('SELECT audit.make_partitions($1)', [ahead]);
  }

  /** The first days (YYYY-MM-DD) of the months that are older than so many whole ones before the present one. */
  async before(kept: number): Promise<string[]> {
    const rows = await this.ask<{ month: string }>('SELECT month FROM audit.months_before($1) AS month', [kept]);
    return rows.map(({ month }) => month);
  }

  /** The lines of a month in their order, a few thousand at a time: neither a transaction nor the memory holds them all. */
  async *lines(month: string): AsyncGenerator<string> {
    let last: Line | undefined;
    do {
      const after = [month, last?.occurredAt ?? null, last?.id ?? null, step];
      const rows = await this.ask<Line>('SELECT * FROM audit.month_lines($1, $2, $3, $4)', after);
      for (const { line } of rows) yield line;
      last = rows.at(-1);
    } while (last);
  }

  /** What a file of the month must hold, as the database counts it. */
  async digest(month: string): Promise<Digest> {
    const whole = { ...emptyDigest };
    let after: [string | null, string | null] = [null, null];
    for (;;) {
      const [part] = await this.ask<DigestPart>('SELECT * FROM audit.month_digest($1, $2, $3, $4)', [
        month,
        ...after,
        step,
      ]);
      if (!part?.lineCount) return whole;
      whole.rows += part.lineCount;
      whole.fingerprint ^= BigInt(part.digest);
      after = [part.lastAt, part.lastId];
    }
  }

  /** Removes a month that was put away; the database refuses when it has other lines by now. */
  async drop(month: string, rows: number, sha256: string | null): Promise<void> {
    await this.ask('SELECT audit.drop_month($1, $2, $3)', [month, rows, sha256]);
  }

  private ask<Row>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.transactions.runAs({ service: 'archive audit log' }, () => this.database.query<Row>(text, values));
  }
}
