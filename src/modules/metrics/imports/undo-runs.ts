import { Injectable } from '@nestjs/common';
import type { DomainError } from '../../../kernel/errors/domain-error.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import type { FactTable } from './fields.js';
import { ImportRecords } from './import-records.js';
import { ImportNotPossible } from './imports.errors.js';
import { TakingBack } from './merging/taking-back.js';

/** As a merge: one statement goes over all rows of a file. */
const statementTimeoutMs = 600_000;
const maximumAttempts = 5;

interface Undoing {
  clinicId: string;
  id: string;
  table: FactTable;
  undoneBy: string;
  undoAttempts: number;
}

/** Undoes the imports that somebody has asked to undo, as that person, each in one transaction. */
@Injectable()
export class UndoRuns {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly records: ImportRecords,
    private readonly takingBack: TakingBack,
  ) {}

  /**
   * May be called again whatever became of the call before: an import that is no longer to be undone is left alone.
   *
   * @throws what may pass by itself: call again later
   */
  async run(clinicId: string, importId: string): Promise<void> {
    const undoing = await this.asService(importId, () =>
      this.database.first<Undoing>(claimUndoing, [clinicId, importId]),
    );
    if (!undoing) return;
    try {
      await this.undo(undoing);
    } catch (error) {
      const refusal = asDomainError(error);
      if (refusal.definition.status >= 500 && undoing.undoAttempts < maximumAttempts) throw error;
      await this.giveUp(undoing, refusal);
    }
  }

  private undo({ clinicId, id, table, undoneBy }: Undoing): Promise<void> {
    const actor = { user: undoneBy, reason: 'undo imports' } as const;
    return this.transactions.runAs(
      actor,
      async () => {
        if (!(await this.records.hold(id))) throw new Error('Another worker still holds the import.');
        const status = await this.records.status(clinicId, id);
        if (status !== 'undoing') throw new ImportNotPossible(outOfReach);
        await this.takingBack.takeBack(clinicId, id, table);
        await this.database.query(markUndone, [clinicId, id]);
      },
      { statementTimeoutMs },
    );
  }

  /** The import is done again, as it was, and shows why. */
  private async giveUp({ clinicId, id }: Undoing, { definition, message }: DomainError): Promise<void> {
    const problem = { code: definition.code, detail: message, line: null, column: null };
    await this.asService(id, () => this.database.query(markDone, [clinicId, id, JSON.stringify(problem)]));
  }

  private asService<T>(importId: string, work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'run imports' }, async () => {
      await this.database.query(markTransaction, [importId]);
      return work();
    });
  }
}

const outOfReach = 'The import is no longer within reach of who asked for undoing it.';

/** Steps of the service are told by the row itself and not by the audit log. */
const markTransaction = `SELECT set_config('app.import_id', $1, true)`;

const claimUndoing = `
  UPDATE public.imports SET undo_attempts = undo_attempts + 1
   WHERE clinic_id = $1 AND id = $2 AND status = 'undoing'
  RETURNING clinic_id, id, target_table AS table, undone_by, undo_attempts`;

/** Last of all: whoever reads or asks again meanwhile does not wait for the row. */
const markUndone = `
  UPDATE public.imports SET status = 'undone', undone_at = clock_timestamp()
   WHERE clinic_id = $1 AND id = $2 AND status = 'undoing'`;

const markDone = `
  UPDATE public.imports SET status = 'done', undone_by = NULL, undo_attempts = 0, problem = $3
   WHERE clinic_id = $1 AND id = $2 AND status = 'undoing'`;
