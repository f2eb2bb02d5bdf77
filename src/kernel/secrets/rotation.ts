import { Injectable } from '@nestjs/common';
import { escapeIdentifier } from 'pg';
import { Database } from '../tenancy/database.js';
import { Transactions } from '../tenancy/transactions.js';
import { type SealedColumn, sealedColumns } from './sealed-columns.js';
import { Vault } from './vault.js';

export interface RotationResult extends SealedColumn {
  resealed: number;
}

interface SealedRow {
  id: string;
  sealed: string;
}

/**
 * Re-seals under the current key whatever rests under an older one. Each batch is a transaction; what is left is found
 * by its key id, so a run that was cut off is simply run again, and two at once share the work.
 */
@Injectable()
export class Rotation {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly vault: Vault,
  ) {}

  async run(batchSize = 500): Promise<RotationResult[]> {
    const results: RotationResult[] = [];
    for (const column of sealedColumns)
      results.push({ ...column, resealed: await this.rotateColumn(column, batchSize) });
    return results;
  }

  private async rotateColumn(column: SealedColumn, batchSize: number): Promise<number> {
    let total = 0;
    for (;;) {
      const count = await this.transactions.runAs({ service: 'rotate secrets' }, () =>
        this.rotateBatch(column, batchSize),
      );
      total += count;
      if (count < batchSize) return total;
    }
  }

  private async rotateBatch({ table, column }: SealedColumn, batchSize: number): Promise<number> {
    const name = table.split('.').map(escapeIdentifier).join('.');
    const sealed = escapeIdentifier(column);
    const rows = await this.database.query<SealedRow>(
      `SELECT id, ${sealed} AS sealed FROM ${name}
        WHERE ${sealed} IS NOT NULL AND NOT starts_with(${sealed}, $1)
        ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [`v1.${this.vault.currentKeyId}.`, batchSize],
    );
    const resealed = rows.map(({ id, sealed: text }) => {
      const place = { table, column, rowId: id };
      return this.vault.seal(this.vault.open(text, place), place);
    });
    await this.database.query(
      `UPDATE ${name} SET ${sealed} = fresh.sealed
         FROM unnest($1::uuid[], $2::text[]) AS fresh (id, sealed) WHERE ${name}.id = fresh.id`,
      [rows.map(({ id }) => id), resealed],
    );
    return rows.length;
  }
}
