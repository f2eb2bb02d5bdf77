export interface SealedColumn {
  /** With its schema. */
  table: string;
  column: string;
  /** The column that is the row's id in the seal: `id` unless given. */
  idColumn?: string;
  /**
   * A function `(row uuid, was text, sealed text) RETURNS boolean` that puts the one text in the other's place where the
   * service may not update the table; false where another text stands there by now.
   */
  resealedBy?: string;
}

const columns: SealedColumn[] = [];

/**
 * Every column whose texts the vault sealed. `service_role` may read it, and update it unless `resealedBy` says how else
 * a text is exchanged.
 */
export const sealedColumns: readonly SealedColumn[] = columns;

/** Modules name their sealed columns here, so that the rotation finds them. */
export function declareSealedColumn(column: SealedColumn): void {
  columns.push(column);
}
