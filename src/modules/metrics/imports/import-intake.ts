import { Injectable } from '@nestjs/common';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import type { FactTable } from './fields.js';
import { ImportFiles } from './import-files.js';
import { type ImportOutcome, ImportRecords } from './import-records.js';
import { ImportRuns } from './import-runs.js';
import { checkMapping } from './mappings/compiled-mapping.js';
import type { MappingConfig } from './mappings/mapping.schemas.js';
import { storedRow } from './reading/ndjson-rows.js';
import type { SourceRow } from './rows.js';

/** Rows of a sheet, on behalf of a person. */
export interface NewIntake {
  /** Made by the caller and kept before the first call: a job that runs again then goes on in place of doubling. */
  id: string;
  clinicId: string;
  /** Whose policies decide what may be written. */
  userId: string;
  table: FactTable;
  mapping: MappingConfig;
  mode: 'upsert' | 'insert';
  source: 'sheet';
  name: string;
  /** The header of the rows. */
  columns: readonly string[];
}

/**
 * The way in for rows that other modules fetch. Both steps open their own small transactions, so they are called
 * outside of one, and both may be called again after a crash.
 */
@Injectable()
export class ImportIntake {
  constructor(
    private readonly transactions: Transactions,
    private readonly records: ImportRecords,
    private readonly files: ImportFiles,
    private readonly runs: ImportRuns,
  ) {}

  /**
   * Stores the rows, page by page. An import that was wholly received before is left as it is, and nothing is read.
   *
   * @throws what the pages throw; then nothing is kept of them
   */
  async receive(intake: NewIntake, pages: AsyncIterable<SourceRow[]>): Promise<void> {
    const { id, clinicId } = intake;
    if ((await this.begin(intake)) !== 'receiving') return;
    try {
      await this.files.store(clinicId, id, bytesOf(pages));
    } catch (error) {
      await this.files.remove(clinicId, id);
      throw error;
    }
    await this.asUser(intake, () => this.records.move(clinicId, id, 'queued'));
  }

  /** Merges what was received; an import that is over answers its outcome again. */
  run(clinicId: string, importId: string): Promise<ImportOutcome> {
    return this.runs.run(clinicId, importId);
  }

  /** Gives up what was received and not merged, and removes what was stored of it. One that is over is left as it is. */
  async discard(clinicId: string, importId: string): Promise<void> {
    const problem = { code: 'interrupted', detail: 'What it was fetched for was given up.', line: null, column: null };
    await this.records.fail({ clinicId, id: importId }, problem);
    await this.files.remove(clinicId, importId);
  }

  private begin(intake: NewIntake) {
    const { id, clinicId, table, mode, source, name, columns } = intake;
    const mapping = checkMapping(table, intake.mapping);
    const plain = { isDryRun: false, isStrict: false, format: 'rows', options: { columns } } as const;
    return this.asUser(intake, async () => {
      await this.records.create({ id, clinicId, table, mapping, mode, source, name, ...plain });
      return this.records.status(clinicId, id);
    });
  }

  private asUser<T>({ userId }: NewIntake, work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ user: userId, reason: 'merge imports' }, work);
  }
}

async function* bytesOf(pages: AsyncIterable<SourceRow[]>): AsyncGenerator<Buffer> {
  for await (const page of pages) yield Buffer.from(page.map(storedRow).join(''));
}
