import { Injectable } from '@nestjs/common';
import { Forbidden } from '../../../../kernel/http/http.errors.js';
import { Database } from '../../../../kernel/tenancy/database.js';
import type { FactTable } from '../fields.js';
import { ChangedSince } from '../imports.errors.js';
import { mergeStatements } from './merge-statements.js';
import { markImport, takeTurns } from './staging.js';

/** What an import has left behind. */
export interface LeftRows {
  restorable: number;
  removable: number;
}

/** Takes back what an import did, in the transaction and with the rights of the caller. All of it or nothing. */
@Injectable()
export class TakingBack {
  constructor(private readonly database: Database) {}

  /** @throws ChangedSince when somebody has worked on its rows in the meantime */
  async assertAsLeft(clinicId: string, importId: string, table: FactTable): Promise<LeftRows> {
    await this.database.query(planForMany);
    const { countLeft } = mergeStatements[table].undo;
    const left = await this.database.first<LeftRows & { changed: number }>(countLeft, [clinicId, importId]);
    const { changed = 0, restorable = 0, removable = 0 } = left ?? {};
    if (changed > 0)
      throw new ChangedSince(
        `${changed} ${changed === 1 ? 'row was' : 'rows were'} changed or deleted after the import. Nothing was undone.`,
      );
    return { restorable, removable };
  }

  /** @throws ChangedSince; Forbidden when the policies keep any of its rows from the caller */
  async takeBack(clinicId: string, importId: string, table: FactTable): Promise<void> {
    const { restore, remove } = mergeStatements[table].undo;
    await this.database.query(takeTurns, [clinicId, table]);
    const left = await this.assertAsLeft(clinicId, importId, table);
    await this.database.query(markImport, [importId]);
    const restored = await this.database.first<{ rows: number }>(restore, [clinicId, importId]);
    const removed = await this.database.first<{ rows: number }>(remove, [clinicId, importId]);
    // Rows that a policy hides are passed over in silence: half an undo would look like a whole one.
    if (restored?.rows !== left.restorable || removed?.rows !== left.removable)
      throw new Forbidden('Whoever asked for undoing may no longer change all rows of the import. Nothing was undone.');
  }
}

/**
 * What an import left may be more than the statistics know of yet. A plan for a single row would compare each with
 * every other one.
 */
const planForMany = `SELECT set_config('enable_nestloop', 'off', true)`;
