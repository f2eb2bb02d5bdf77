import { Injectable } from '@nestjs/common';
import type { DomainError } from '../../../kernel/errors/domain-error.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { ImportFiles } from './import-files.js';
import { type ImportOutcome, type ImportRecord, ImportRecords } from './import-records.js';
import { isOver } from './import-states.js';
import { NothingImported } from './imports.errors.js';
import { Merge, type MergeResult } from './merging/merge.js';
import { openRows } from './reading/open-rows.js';
import type { SpooledFile } from './reading/spooled-file.js';

/** One statement of a merge goes over all rows of a file. */
const statementTimeoutMs = 600_000;
const maximumAttempts = 5;
const progressMs = 1_000;

/** Takes an import that was received to its end. */
@Injectable()
export class ImportRuns {
  constructor(
    private readonly transactions: Transactions,
    private readonly records: ImportRecords,
    private readonly files: ImportFiles,
    private readonly merge: Merge,
  ) {}

  /**
   * Merges an import as the person who asked for it, all in one transaction. May be called again whatever became of the
   * call before: an import that is over answers its outcome.
   *
   * @throws what may pass by itself (a lost database, another worker that still holds the import): call again later
   */
  async run(clinicId: string, importId: string): Promise<ImportOutcome> {
    const claimed = await this.records.claim(clinicId, importId);
    if (claimed) await this.attempt(claimed);
    await this.files.remove(clinicId, importId);
    return this.records.outcome(clinicId, importId);
  }

  private async attempt(record: ImportRecord): Promise<void> {
    try {
      await this.files.spooled(record.clinicId, record.id, (file) => this.mergeFile(record, file));
    } catch (error) {
      const refusal = asDomainError(error);
      const mayPass = refusal.definition.status >= 500 || refusal.definition.code === 'already-exists';
      if (mayPass && record.attempts < maximumAttempts) throw error;
      await this.records.fail(record, problemOf(refusal));
    }
  }

  private async mergeFile(record: ImportRecord, file: SpooledFile): Promise<void> {
    const { clinicId, id: importId, table, mapping, mode, isStrict, isDryRun } = record;
    const source = await openRows(file, record.format, mapping, record.options);
    const actor = { user: record.createdBy, reason: 'merge imports' } as const;
    const request = { clinicId, importId, table, mapping, mode, isStrict, isDryRun };
    await this.transactions.runAs(
      actor,
      async () => {
        if (!(await this.records.hold(importId))) throw new Error('Another worker still holds the import.');
        const status = await this.records.status(clinicId, importId);
        if (status === undefined) throw new NotFound('The import is no longer within reach of who asked for it.');
        if (isOver(status)) return;
        const result = await this.merge.run(request, source, this.progressOf(record));
        await this.records.conclude(record, result, refusalOf(record, result));
      },
      { statementTimeoutMs },
    );
  }

  /** Now and then, beside the merge and never waited for: a connection must not be held while another is awaited. */
  private progressOf(record: ImportRecord): (rows: number) => void {
    let last = performance.now();
    let isUnderWay = false;
    return (rows) => {
      if (isUnderWay || performance.now() - last < progressMs) return;
      last = performance.now();
      isUnderWay = true;
      this.records
        .progress(record, rows)
        .catch(() => undefined)
        .finally(() => {
          isUnderWay = false;
        });
    };
  }
}

/** An import that brought nothing is no success, or nobody would look at it. Rows of a sheet may well be none. */
export function refusalOf(record: Pick<ImportRecord, 'source' | 'isStrict'>, result: MergeResult) {
  if (result.rowsRead === 0 && record.source === 'file')
    return problemOf(new NothingImported('There are no rows below the header.'));
  if (result.isMerged) return null;
  const all = result.rejected === result.rowsRead;
  const words = all ? 'Every row was refused.' : `${result.rejected} rows were refused, and the import is strict.`;
  return problemOf(new NothingImported(words));
}

function problemOf({ definition, message, errors }: DomainError) {
  const [line, ...column] = errors?.[0]?.code === 'unreadable' ? errors[0].path.split('.') : [];
  return {
    code: definition.code,
    detail: message,
    line: line ? Number(line) : null,
    column: column.length > 0 ? column.join('.') : null,
  };
}
