import { Injectable } from '@nestjs/common';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import type { FactTable } from '../imports/fields.js';
import type { MappingConfig } from '../imports/mappings/mapping.schemas.js';
import { syncJob } from './sync-queue.js';
import type { RefusedRow, RunProblem, SheetImport } from './sync-runs.schemas.js';
import { type ConnectionState, connectionTransitions, runTransitions, statesBefore } from './sync-states.js';

/** All that a run needs to know; read once, when it is claimed. */
export interface SyncTask {
  runId: string;
  clinicId: string;
  connectionId: string;
  spreadsheetId: string;
  name: string;
  sheetNames: string[];
  credentialId: string | null;
  /** As whom the rows are brought in: whoever asked for it, or whose account reads the spreadsheet. */
  userId: string | null;
  attempts: number;
  imports: SheetImport[];
  mappings: SheetMapping[];
}

export interface SheetMapping {
  id: string;
  version: number;
  sheet: string;
  table: FactTable;
  mapping: MappingConfig;
}

export interface RunCounts {
  rowsRead: number;
  inserted: number;
  updated: number;
  unchanged: number;
  rejected: number;
}

export interface RunEnd {
  status: 'done' | 'failed';
  connection: Extract<ConnectionState, 'ok' | 'failed' | 'reauthorize'>;
  counts?: RunCounts;
  problem?: RunProblem | null;
  errors?: RefusedRow[];
}

/** A run that was given up, with the imports that it leaves. */
export interface LostRun {
  clinicId: string;
  imports: SheetImport[];
}

/** It goes over all runs that there ever were. */
const cleaningTimeoutMs = 600_000;

/** The rows of runs and what hangs on their state, each step in a transaction of its own. */
@Injectable()
export class SyncRunStore {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
  ) {}

  /** Undefined for a run that is over: its job ran twice. */
  claim(runId: string): Promise<SyncTask | undefined> {
    return this.asService(async () => {
      const run = await this.database.first<{ connectionId: string }>(claimRun, [
        runId,
        statesBefore(runTransitions, 'running'),
      ]);
      if (!run) return undefined;
      const before = statesBefore(connectionTransitions, 'syncing');
      await this.database.query(startConnection, [run.connectionId, before]);
      return this.database.first<SyncTask>(readTask, [runId]);
    });
  }

  /** Before the imports exist: whoever goes on after a crash goes on with the same ones. */
  async noteImports(runId: string, imports: SheetImport[]): Promise<void> {
    await this.asService(() => this.database.query(noteImports, [runId, JSON.stringify(imports)]));
  }

  /** Whether it still stands: with its connection a run is deleted while its job reads. */
  async isUnderWay(runId: string): Promise<boolean> {
    return (await this.asService(() => this.database.first(findRunning, [runId]))) !== undefined;
  }

  /** Puts the run off; its job comes back then. */
  async wait({ runId }: SyncTask, problem: RunProblem, runAt: Date): Promise<void> {
    await this.asService(async () => {
      const values = [runId, JSON.stringify(problem), statesBefore(runTransitions, 'waiting')];
      const [waiting] = await this.database.query(putOff, values);
      if (waiting) await this.jobs.enqueue(syncJob, { runId }, { runAt });
    });
  }

  /** @returns its imports; none when it was over already */
  async finish({ runId, connectionId }: Pick<SyncTask, 'runId' | 'connectionId'>, end: RunEnd): Promise<SheetImport[]> {
    const { rowsRead, inserted, updated, unchanged, rejected } = end.counts ?? noCounts;
    const problem = end.problem ? JSON.stringify(end.problem) : null;
    const errors = JSON.stringify(end.errors ?? []);
    const counts = [rowsRead, inserted, updated, unchanged, rejected];
    const before = statesBefore(runTransitions, end.status);
    return this.asService(async () => {
      const values = [runId, end.status, before, ...counts, problem, errors];
      const [ended] = await this.database.query<{ imports: SheetImport[] }>(endRun, values);
      if (ended) await this.database.query(endConnection, [connectionId, end.connection, end.problem?.code ?? null]);
      return ended?.imports ?? [];
    });
  }

  /** Runs that were not heard of for hours: their job was given up, or its worker lost with the queue. */
  async closeLost(problem: RunProblem): Promise<LostRun[]> {
    return this.asService(async () => {
      const lost = await this.database.query<LostRun & { connectionId: string }>(closeLost, [
        JSON.stringify(problem),
        statesBefore(runTransitions, 'failed'),
      ]);
      for (const { connectionId } of lost)
        await this.database.query(endConnection, [connectionId, 'failed', problem.code]);
      return lost;
    });
  }

  /** What runs keep for a time only: refused rows for 90 days, consents that nobody gave. */
  async clean(): Promise<void> {
    const clean = async () => {
      await this.database.query(forgetErrors);
      await this.database.query(forgetAuthorizations);
    };
    await this.asService(clean, { statementTimeoutMs: cleaningTimeoutMs });
  }

  private asService<T>(work: () => Promise<T>, options: { statementTimeoutMs?: number } = {}): Promise<T> {
    return this.transactions.runAs({ service: 'synchronise sheets' }, work, options);
  }
}

const noCounts: RunCounts = { rowsRead: 0, inserted: 0, updated: 0, unchanged: 0, rejected: 0 };

const claimRun = `
  UPDATE public.sync_runs SET status = 'running', attempts = attempts + 1, started_at = coalesce(started_at, now())
   WHERE id = $1 AND status = ANY ($2)
  RETURNING spreadsheet_connection_id AS connection_id`;

const startConnection = `
  UPDATE public.spreadsheet_connections SET sync_status = 'syncing' WHERE id = $1 AND sync_status = ANY ($2)`;

const readTask = `
  SELECT r.id AS run_id, r.clinic_id, s.id AS connection_id, s.spreadsheet_id, s.name, s.sheet_names,
         s.google_credential_id AS credential_id, coalesce(r.requested_by, g.user_id) AS user_id, r.attempts, r.imports,
         coalesce((SELECT jsonb_agg(jsonb_build_object('id', m.id, 'version', m.version, 'sheet', m.sheet,
                            'table', m.target_table, 'mapping', m.mapping_config) ORDER BY m.id)
                     FROM public.column_mappings m
                    WHERE m.clinic_id = s.clinic_id AND m.spreadsheet_connection_id = s.id AND m.is_active
                      AND m.sheet = ANY (s.sheet_names)), '[]') AS mappings
    FROM public.sync_runs r
    JOIN public.spreadsheet_connections s ON s.clinic_id = r.clinic_id AND s.id = r.spreadsheet_connection_id
    LEFT JOIN public.google_credentials g ON g.clinic_id = s.clinic_id AND g.id = s.google_credential_id
   WHERE r.id = $1`;

const noteImports = 'UPDATE public.sync_runs SET imports = $2 WHERE id = $1';

const findRunning = `SELECT id FROM public.sync_runs WHERE id = $1 AND status = 'running'`;

const putOff = `
  UPDATE public.sync_runs SET status = 'waiting', problem = $2 WHERE id = $1 AND status = ANY ($3) RETURNING id`;

const endRun = `
  UPDATE public.sync_runs
     SET status = $2, finished_at = now(), rows_read = $4, rows_inserted = $5, rows_updated = $6, rows_unchanged = $7,
         rows_rejected = $8, problem = $9, errors = $10
   WHERE id = $1 AND status = ANY ($3)
  RETURNING imports`;

/** A connection whose account was taken away meanwhile stays as that left it. */
const endConnection = `
  UPDATE public.spreadsheet_connections
     SET sync_status = $2, last_problem = $3, last_sync_at = CASE WHEN $2 = 'ok' THEN now() ELSE last_sync_at END
   WHERE id = $1 AND sync_status = 'syncing'`;

const closeLost = `
  UPDATE public.sync_runs SET status = 'failed', finished_at = now(), problem = $1
   WHERE status = ANY ($2) AND updated_at < now() - interval '2 hours'
  RETURNING clinic_id, imports, spreadsheet_connection_id AS connection_id`;

const forgetErrors = `
  UPDATE public.sync_runs SET errors = '[]' WHERE errors <> '[]' AND finished_at < now() - interval '90 days'`;

const forgetAuthorizations = 'DELETE FROM public.google_authorizations WHERE expires_at < now()';
