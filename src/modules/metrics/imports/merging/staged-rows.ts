import type { Database } from '../../../../kernel/tenancy/database.js';
import type { FactTable } from '../fields.js';
import type { CompiledMapping } from '../mappings/compiled-mapping.js';
import type { RowError, SourceRow } from '../rows.js';
import { copyLine } from './copy-text.js';
import { copiedFields } from './merge-statements.js';

interface CopyStatements {
  copyRows: string;
  copyRefusals: string;
}

/** How much text travels in one COPY. */
const batchLength = 262_144;

/** Carries mapped rows, and what is wrong with the others, into the temporary tables of a merge. */
export class StagedRows {
  private rows: string[] = [];
  private refusals: string[] = [];
  private length = 0;
  private count = 0;
  /** Where each copied value stands in a mapped row; -1 for fields that the mapping does not fill. */
  private readonly positions: readonly number[];
  /** A batch that is under way. */
  private travelling: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    table: FactTable,
    private readonly mapping: CompiledMapping,
    private readonly statements: CopyStatements,
  ) {
    const names = mapping.fields.map(({ name }) => name);
    this.positions = copiedFields(table).map((name) => names.indexOf(name));
  }

  /** @returns how many rows there were */
  async take(pages: AsyncIterable<SourceRow[]>, onProgress?: (rows: number) => void): Promise<number> {
    try {
      for await (const page of pages) {
        for (const row of page) this.add(row);
        this.count += page.length;
        if (this.length > batchLength) await this.send();
        onProgress?.(this.count);
      }
      await this.send();
      await this.travelling;
      return this.count;
    } finally {
      // Whatever ends it, the connection must be idle before the transaction goes on or back.
      await this.travelling.catch(() => undefined);
    }
  }

  private add(row: SourceRow): void {
    const mapped = this.mapping.apply(row);
    if ('errors' in mapped) {
      for (const error of mapped.errors) this.refusals.push(copyLine(refusalValues(error)));
      this.length += 100;
      return;
    }
    const line = copyLine([row.line, ...this.positions.map((at) => (at < 0 ? null : (mapped.values[at] ?? null)))]);
    this.rows.push(line);
    this.length += line.length;
  }

  /** Waits for the batch before, not for this one. */
  private async send(): Promise<void> {
    const { rows, refusals } = this;
    this.rows = [];
    this.refusals = [];
    this.length = 0;
    await this.travelling;
    this.travelling = this.copy(rows, refusals);
    // Its failure is met where it is awaited.
    this.travelling.catch(() => undefined);
  }

  private async copy(rows: readonly string[], refusals: readonly string[]): Promise<void> {
    if (rows.length > 0) await this.database.copyFrom(this.statements.copyRows, [rows.join('')]);
    if (refusals.length > 0) await this.database.copyFrom(this.statements.copyRefusals, [refusals.join('')]);
  }
}

const refusalValues = ({ line, column, field, code, message }: RowError) => [line, column, field, code, message];
