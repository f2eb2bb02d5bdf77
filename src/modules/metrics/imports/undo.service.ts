import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { FactTable } from './fields.js';
import { ChangedSince, ImportNotPossible } from './imports.errors.js';
import { mergeStatements } from './merging/merge-statements.js';
import { markImport, takeTurns } from './merging/staging.js';

interface Undoable {
  table: FactTable;
  status: string;
  isDryRun: boolean;
  isTooOld: boolean;
}

/** Takes an import back: what it added goes, what it changed is as it was before. All of it or nothing. */
@Injectable()
export class UndoService {
  constructor(private readonly database: Database) {}

  /** @throws ImportNotPossible; ChangedSince when somebody has worked on its rows in the meantime */
  async undo(clinicId: string, importId: string): Promise<void> {
    const found = await this.database.first<Undoable>(lockImport, [clinicId, importId]);
    if (!found) throw new NotFound();
    assertUndoable(found);
    const statements = mergeStatements[found.table].undo;
    await this.database.query(takeTurns, [clinicId, found.table]);
    await this.assertAsLeft(statements.countChanged, clinicId, importId);
    await this.database.query(markUndone, [clinicId, importId]);
    await this.database.query(markImport, [importId]);
    await this.database.query(statements.restore, [clinicId, importId]);
    await this.database.query(statements.remove, [clinicId, importId]);
  }

  private async assertAsLeft(countChanged: string, clinicId: string, importId: string): Promise<void> {
    const counts = await this.database.first<{ changed: number; edited: number }>(countChanged, [clinicId, importId]);
    const changed = (counts?.changed ?? 0) + (counts?.edited ?? 0);
    if (changed > 0)
      throw new ChangedSince(
        `${changed} ${changed === 1 ? 'row was' : 'rows were'} changed or deleted after the import. Nothing was undone.`,
      );
  }
}

function assertUndoable({ status, isDryRun, isTooOld }: Undoable): void {
  if (status !== 'done') throw new ImportNotPossible(`The import is ${status}: only one that is done can be undone.`);
  if (isDryRun) throw new ImportNotPossible('The import was a dry run: it has changed nothing.');
  if (isTooOld) throw new ImportNotPossible('The import is more than 30 days old.');
}

const lockImport = `
  SELECT target_table AS table, status, is_dry_run, coalesce(finished_at < now() - interval '30 days', false) AS is_too_old
    FROM public.imports WHERE clinic_id = $1 AND id = $2 FOR UPDATE`;

const markUndone = `
  UPDATE public.imports SET status = 'undone', undone_at = clock_timestamp(), undone_by = app.user_id()
   WHERE clinic_id = $1 AND id = $2`;
