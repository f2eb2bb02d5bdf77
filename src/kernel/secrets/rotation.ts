import { Injectable } from '@nestjs/common';
import { escapeIdentifier } from 'pg';
import { Database } from '../tenancy/database.js';
import { Transactions } from '../tenancy/transactions.js';
import { type SealedColumn, sealedColumns } from './sealed-columns.js';
import { SealBroken, type SealedPlace, Vault } from './vault.js';

export interface RotationResult extends SealedColumn {
  resealed: number;
}

interface SealedRow {
  id: string;
  sealed: string;
}

interface Resealed {
  count: number;
  /** Rows whose text opens under no key of the ring, and which were left as they are. */
  broken: string[];
}

type Lock = 'FOR UPDATE' | 'FOR UPDATE SKIP LOCKED';

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

  /**
   * When it returns, nothing that was there at its start needs an older key any more.
   *
   * @throws Error that names the rows whose texts do not open, after all others were sealed anew
   */
  async run(batchSize = 500): Promise<RotationResult[]> {
    const results: RotationResult[] = [];
    const broken: string[] = [];
    for (const column of sealedColumns) {
      const shared = await this.pass(column, batchSize, 'FOR UPDATE SKIP LOCKED');
      // Whoever drops the old key next would lose the rows that were skipped; so this waits for them.
      const awaited = await this.pass(column, batchSize, 'FOR UPDATE');
      results.push({ ...column, resealed: shared.count + awaited.count });
      broken.push(...awaited.broken.map((id) => `${column.table}.${column.column} of ${id}`));
    }
    if (broken.length > 0) throw new Error(`Under no key of the ring, all others sealed anew: ${broken.join(', ')}`);
    return results;
  }

  private async pass(column: SealedColumn, batchSize: number, lock: Lock): Promise<Resealed> {
    const total: Resealed = { count: 0, broken: [] };
    let after: string | null = null;
    for (;;) {
      const work = () => this.batch(column, batchSize, after, lock);
      const { rows, count, broken } = await this.transactions.runAs({ service: 'rotate secrets' }, work);
      total.count += count;
      total.broken.push(...broken);
      after = rows.at(-1)?.id ?? null;
      if (rows.length < batchSize) return total;
    }
  }

  private async batch(column: SealedColumn, batchSize: number, after: string | null, lock: Lock) {
    const { resealedBy } = column;
    const values = [`v1.${this.vault.currentKeyId}.`, batchSize, after];
    // Only who may update a row may lock it.
    const rows = await this.database.query<SealedRow>(oldOnes(column, resealedBy ? '' : lock), values);
    const fresh = rows.map(({ id, sealed }) => ({ id, was: sealed, text: this.reseal(sealed, placeOf(column, id)) }));
    const opened = fresh.filter(({ text }) => text !== null);
    const ids = opened.map(({ id }) => id);
    const texts = opened.map(({ text }) => text);
    const done = resealedBy
      ? await this.database.query(exchanged(resealedBy), [ids, opened.map(({ was }) => was), texts])
      : await this.database.query(updated(column), [ids, texts]);
    return { rows, count: done.length, broken: fresh.filter(({ text }) => text === null).map(({ id }) => id) };
  }

  /** Null for a text that does not open: one broken row must not keep all behind it under the old key. */
  private reseal(text: string, place: SealedPlace): string | null {
    try {
      return this.vault.seal(this.vault.open(text, place), place);
    } catch (error) {
      if (error instanceof SealBroken) return null;
      throw error;
    }
  }
}

const placeOf = ({ table, column }: SealedColumn, rowId: string): SealedPlace => ({ table, column, rowId });

const nameOf = ({ table }: SealedColumn): string => table.split('.').map(escapeIdentifier).join('.');

function oldOnes(column: SealedColumn, lock: Lock | ''): string {
  const sealed = escapeIdentifier(column.column);
  const id = escapeIdentifier(column.idColumn ?? 'id');
  return `
    SELECT ${id} AS id, ${sealed} AS sealed FROM ${nameOf(column)}
     WHERE ${sealed} IS NOT NULL AND NOT starts_with(${sealed}, $1) AND ($3::uuid IS NULL OR ${id} > $3)
     ORDER BY ${id} LIMIT $2 ${lock}`;
}

function updated(column: SealedColumn): string {
  const name = nameOf(column);
  return `
    UPDATE ${name} SET ${escapeIdentifier(column.column)} = fresh.sealed
      FROM unnest($1::uuid[], $2::text[]) AS fresh (id, sealed)
     WHERE ${name}.${escapeIdentifier(column.idColumn ?? 'id')} = fresh.id
    RETURNING fresh.id`;
}

/** A text that was exchanged meanwhile is a newer one: it was sealed under the key that is current now. */
const exchanged = (resealedBy: string): string => `
  SELECT fresh.id FROM unnest($1::uuid[], $2::text[], $3::text[]) AS fresh (id, was, sealed)
   WHERE ${resealedBy.split('.').map(escapeIdentifier).join('.')}(fresh.id, fresh.was, fresh.sealed)`;
