import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { FactTable } from './fields.js';
import type { ImportStatus } from './import-states.js';
import { ImportNotPossible } from './imports.errors.js';
import { TakingBack } from './merging/taking-back.js';

interface Undoable {
  table: FactTable;
  status: ImportStatus;
  isDryRun: boolean;
  isTooOld: boolean;
}

/** Takes the wish to undo an import, and refuses at once what can be known at once; a job does the rest. */
@Injectable()
export class UndoService {
  constructor(
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly takingBack: TakingBack,
  ) {}

  /** @throws ImportNotPossible; ChangedSince when somebody has worked on its rows in the meantime */
  async ask(clinicId: string, importId: string): Promise<void> {
    const found = await this.database.first<Undoable>(lockImport, [clinicId, importId]);
    if (!found) throw new NotFound();
    assertUndoable(found);
    await this.assertAsLeft(clinicId, importId, found.table);
    await this.database.query(markUndoing, [clinicId, importId]);
    await this.jobs.enqueue('metrics.undo-import', { clinicId, importId });
  }

  /** Of an import so large that counting takes long, the job finds it out. */
  private async assertAsLeft(clinicId: string, importId: string, table: FactTable): Promise<void> {
    try {
      await this.database.attempt(async () => {
        await this.database.query(keepShort);
        await this.takingBack.assertAsLeft(clinicId, importId, table);
      });
    } catch (error) {
      if (asDomainError(error).definition.code !== 'took-too-long') throw error;
    }
  }
}

function assertUndoable({ status, isDryRun, isTooOld }: Undoable): void {
  if (status !== 'done') throw new ImportNotPossible(`The import is ${status}: only one that is done can be undone.`);
  if (isDryRun) throw new ImportNotPossible('The import was a dry run: it has changed nothing.');
  if (isTooOld) throw new ImportNotPossible('The import is more than 30 days old.');
}

const keepShort = `SELECT set_config('statement_timeout', '3000', true)`;

const lockImport = `
  SELECT target_table AS table, status, is_dry_run, coalesce(finished_at < now() - interval '30 days', false) AS is_too_old
    FROM public.imports WHERE clinic_id = $1 AND id = $2 FOR UPDATE`;

const markUndoing = `
  UPDATE public.imports SET status = 'undoing', undone_by = app.user_id(), problem = NULL
   WHERE clinic_id = $1 AND id = $2`;
