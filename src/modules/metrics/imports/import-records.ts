import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import type { FactTable } from './fields.js';
import type { ImportStatus } from './import-states.js';
import type { MappingConfig } from './mappings/mapping.schemas.js';
import type { MergeCounts } from './merging/merge.js';
import type { FileFormat, ReadingOptions } from './reading/open-rows.js';
import type { RowError } from './rows.js';

/** What a run needs to know of an import. */
export interface ImportRecord {
  id: string;
  clinicId: string;
  source: 'file' | 'rows' | 'sheet';
  format: FileFormat | 'rows';
  table: FactTable;
  mode: 'insert' | 'upsert';
  isDryRun: boolean;
  isStrict: boolean;
  mapping: MappingConfig;
  options: ReadingOptions;
  attempts: number;
  createdBy: string;
}

export interface ImportProblem {
  code: string;
  detail: string;
  line: number | null;
  column: string | null;
}

export interface ImportOutcome extends MergeCounts {
  id: string;
  status: ImportStatus;
  /** Why it failed. */
  problem: ImportProblem | null;
  /** At most twenty; all of them are at `/clinics/{clinicId}/imports/{importId}/errors.csv`. */
  firstErrors: RowError[];
}

export interface NewImport extends Omit<ImportRecord, 'attempts' | 'createdBy'> {
  /** Under which people find it: the name of the file, or of the sheet. */
  name: string;
}

/** The imports as rows: what is known of each, and its way through the states. */
@Injectable()
export class ImportRecords {
  constructor(
    private readonly database: Database,
    private readonly transactions: Transactions,
  ) {}

  /** In the running transaction, as the caller: the policies decide who may import into which table. */
  async create(record: NewImport, status: ImportStatus = 'receiving'): Promise<void> {
    const { id, clinicId, source, name, format, table, mode, isDryRun, isStrict, mapping, options } = record;
    const json = [JSON.stringify(mapping), JSON.stringify(options)];
    const values = [id, clinicId, source, name.slice(0, 200), format, table, mode, isDryRun, isStrict, ...json, status];
    await this.database.query(insertImport, values);
  }

  /** In the running transaction. */
  async move(clinicId: string, importId: string, status: ImportStatus): Promise<void> {
    await this.database.query(markTransaction, [importId]);
    await this.database.query(moveImport, [clinicId, importId, status]);
  }

  /** In the running transaction. Undefined when it is not there for the caller. */
  async status(clinicId: string, importId: string): Promise<ImportStatus | undefined> {
    const row = await this.database.first<{ status: ImportStatus }>(statusOfImport, [clinicId, importId]);
    return row?.status;
  }

  /** Whether nobody else works on it, until the running transaction ends. */
  async hold(importId: string): Promise<boolean> {
    const row = await this.database.first<{ isFree: boolean }>(holdImport, [importId]);
    return row?.isFree ?? false;
  }

  /** In the running transaction: its end, together with what it brought. */
  async conclude({ clinicId, id }: ImportRecord, counts: MergeCounts, problem: ImportProblem | null): Promise<void> {
    const { rowsRead, inserted, updated, unchanged, rejected } = counts;
    const values = [rowsRead, inserted, updated, unchanged, rejected, problem && JSON.stringify(problem)];
    await this.database.query(concludeImport, [clinicId, id, problem ? 'failed' : 'done', ...values]);
  }

  /** Makes it run; undefined when it is over. */
  async claim(clinicId: string, importId: string): Promise<ImportRecord | undefined> {
    return this.asService(importId, () => this.database.first<ImportRecord>(claimImport, [clinicId, importId]));
  }

  async fail({ clinicId, id }: Pick<ImportRecord, 'clinicId' | 'id'>, problem: ImportProblem): Promise<void> {
    await this.asService(id, () => this.database.query(failImport, [clinicId, id, JSON.stringify(problem)]));
  }

  async progress({ clinicId, id }: ImportRecord, rows: number): Promise<void> {
    await this.asService(id, () => this.database.query(noteProgress, [clinicId, id, rows]));
  }

  async outcome(clinicId: string, importId: string): Promise<ImportOutcome> {
    const row = await this.asService(importId, () =>
      this.database.first<ImportOutcome>(readOutcome, [clinicId, importId]),
    );
    if (!row) throw new NotFound();
    return row;
  }

  private asService<T>(importId: string, work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'run imports' }, async () => {
      await this.database.query(markTransaction, [importId]);
      return work();
    });
  }
}

export const firstErrors = `(
  SELECT coalesce(jsonb_agg(to_jsonb(e) - 'id' ORDER BY e.line, e.id), '[]') FROM (
    SELECT line, column_name AS column, field, code, message, id FROM public.import_errors
     WHERE clinic_id = i.clinic_id AND import_id = i.id ORDER BY line, id LIMIT 20) e) AS first_errors`;

/** Steps of the service are told by the row itself and not by the audit log. */
const markTransaction = `SELECT set_config('app.import_id', $1, true)`;

const insertImport = `
  INSERT INTO public.imports (id, clinic_id, source, name, format, target_table, mode, is_dry_run, is_strict, mapping, options, status, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, app.user_id())
  ON CONFLICT (id) DO NOTHING`;

const moveImport = 'UPDATE public.imports SET status = $3 WHERE clinic_id = $1 AND id = $2';

const statusOfImport = 'SELECT status FROM public.imports WHERE clinic_id = $1 AND id = $2';

const holdImport = `SELECT pg_try_advisory_xact_lock(hashtextextended('import ' || $1::text, 0)) AS is_free`;

const claimImport = `
  UPDATE public.imports
     SET status = 'running', attempts = attempts + 1, started_at = coalesce(started_at, clock_timestamp())
   WHERE clinic_id = $1 AND id = $2 AND status IN ('queued', 'running')
  RETURNING id, clinic_id, source, format, target_table AS table, mode, is_dry_run, is_strict, mapping, options, attempts, created_by`;

const concludeImport = `
  UPDATE public.imports
     SET status = $3, rows_read = $4, inserted = $5, updated = $6, unchanged = $7, rejected = $8, problem = $9,
         finished_at = clock_timestamp()
   WHERE clinic_id = $1 AND id = $2`;

const failImport = `
  UPDATE public.imports SET status = 'failed', problem = $3, finished_at = clock_timestamp()
   WHERE clinic_id = $1 AND id = $2 AND status IN ('receiving', 'queued', 'running')`;

const noteProgress = `
  UPDATE public.imports SET rows_read = $3 WHERE clinic_id = $1 AND id = $2 AND status = 'running'`;

const readOutcome = `
  SELECT i.id, i.status, i.rows_read, i.inserted, i.updated, i.unchanged, i.rejected, i.problem, ${firstErrors}
    FROM public.imports i WHERE i.clinic_id = $1 AND i.id = $2`;
