import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../../kernel/http/http.errors.js';
import { Database } from '../../../../kernel/tenancy/database.js';
import { type FactTable, fieldsOf } from '../fields.js';
import { compileMapping } from '../mappings/compiled-mapping.js';
import type { MappingConfig } from '../mappings/mapping.schemas.js';
import type { RowSource } from '../rows.js';
import { mergeStatements } from './merge-statements.js';
import { StagedRows } from './staged-rows.js';
import * as staging from './staging.js';

export interface MergeRequest {
  clinicId: string;
  importId: string;
  table: FactTable;
  mapping: MappingConfig;
  mode: 'insert' | 'upsert';
  /** One refused row and nothing is written. */
  isStrict: boolean;
  /** Everything but the writing. */
  isDryRun: boolean;
}

export interface MergeCounts {
  rowsRead: number;
  inserted: number;
  updated: number;
  unchanged: number;
  rejected: number;
}

export interface MergeResult extends MergeCounts {
  /** Whether the facts were, or in a dry run would have been, brought in. */
  isMerged: boolean;
}

/**
 * Brings rows into a table of facts, all in the transaction of the caller: what policies allow that person is what
 * happens, and an end in the middle leaves nothing.
 */
@Injectable()
export class Merge {
  constructor(private readonly database: Database) {}

  async run(request: MergeRequest, source: RowSource, onProgress?: (rows: number) => void): Promise<MergeResult> {
    await this.database.query(staging.takeTurns, [request.clinicId, request.table]);
    await this.database.query(staging.markImport, [request.importId]);
    const rowsRead = await this.stage(request, source, onProgress);
    await this.judge(request);
    const [counts] = await this.database.query<Omit<MergeCounts, 'rowsRead'>>(staging.countActions);
    if (!counts) throw new Error('The counts of an import are missing.');
    const isRefused = request.isStrict && counts.rejected > 0;
    const isMerged = !isRefused && (counts.rejected === 0 || counts.rejected < rowsRead);
    if (isMerged && !request.isDryRun) await this.write(request, counts);
    await this.keepRefusals(request, counts.rejected);
    return isMerged
      ? { rowsRead, ...counts, isMerged }
      : { rowsRead, inserted: 0, updated: 0, unchanged: 0, rejected: counts.rejected, isMerged };
  }

  /** Reads, maps and copies the rows; the next page is read while the last one travels. */
  private async stage(request: MergeRequest, source: RowSource, onProgress?: (rows: number) => void): Promise<number> {
    const latestDate = await this.latestDate(request.clinicId);
    const { createRows, createFacts, copyRows } = mergeStatements[request.table];
    const { createRefusals, createProviders, copyRefusals } = staging;
    for (const create of [createRows, createFacts, createRefusals, createProviders]) await this.database.query(create);
    const mapping = compileMapping(request.table, request.mapping, source.columns, {
      latestDate,
      countsFrom1904: source.countsFrom1904 ?? false,
    });
    const staged = new StagedRows(this.database, request.table, mapping, { copyRows, copyRefusals });
    return staged.take(source.pages, onProgress);
  }

  private async latestDate(clinicId: string): Promise<string> {
    const row = await this.database.first<{ latest: string }>(latestDate, [clinicId]);
    if (!row) throw new NotFound();
    return row.latest;
  }

  /** Decides for every row what it would do, and which may not be. */
  private async judge({ clinicId, table, mapping, mode }: MergeRequest): Promise<void> {
    const { classify, refuse, lockChanging } = mergeStatements[table];
    await this.database.query('ANALYZE pg_temp.import_rows');
    await this.lookUp(table, clinicId);
    await this.database.query(staging.refuseRepeated);
    await this.database.query('ANALYZE pg_temp.import_refusals');
    const columns = mappedColumns(table, mapping);
    for (const statement of classify) await this.database.query(statement, [clinicId, columns]);
    await this.database.query('ANALYZE pg_temp.import_facts');
    for (const statement of refuse) await this.database.query(statement);
    if (mode === 'insert') await this.database.query(staging.refuseChanges);
    await this.database.query(staging.leaveOutRefused);
    await this.database.query(lockChanging, [clinicId]);
    await this.database.query(staging.leaveOutRefused);
  }

  private async lookUp(table: FactTable, clinicId: string): Promise<void> {
    const kinds = fieldsOf[table].map(({ type }) => type.kind);
    if (kinds.includes('provider')) {
      await this.database.query(staging.findProviders, [clinicId]);
      await this.database.query(staging.refuseProviders);
    }
    if (kinds.includes('member')) await this.database.query(staging.refuseMembers, [clinicId]);
  }

  private async write(
    { clinicId, importId, table }: MergeRequest,
    counts: Omit<MergeCounts, 'rowsRead'>,
  ): Promise<void> {
    const { insert, update } = mergeStatements[table];
    if (counts.updated > 0) await this.database.query(update, [clinicId, importId]);
    if (counts.inserted > 0) await this.database.query(insert, [clinicId, importId]);
  }

  private async keepRefusals({ clinicId, importId, mapping }: MergeRequest, rejected: number): Promise<void> {
    if (rejected === 0) return;
    const columns = Object.fromEntries(mapping.columns.map(({ field, column }) => [field, column]));
    await this.database.query(staging.keepRefusals, [clinicId, importId, JSON.stringify(columns)]);
  }
}

/** What the file fills: other columns of a fact that is there stay as they are. */
function mappedColumns(table: FactTable, { columns, constants = {} }: MappingConfig): string[] {
  const names = new Set([...columns.map(({ field }) => field), ...Object.keys(constants)]);
  return fieldsOf[table].filter(({ name }) => names.has(name)).map(({ column }) => column);
}

const latestDate = `
  SELECT ((now() AT TIME ZONE time_zone)::date + 1)::text AS latest FROM public.clinics WHERE id = $1`;
