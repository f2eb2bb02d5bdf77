export interface SealedColumn {
  /** With its schema. */
  table: string;
  column: string;
}

const columns: SealedColumn[] = [];

/** Every column whose texts the vault sealed. Its table has an `id`, and `service_role` may read and update the column. */
export const sealedColumns: readonly SealedColumn[] = columns;

/** Modules name their sealed columns here, so that the rotation finds them. */
export function declareSealedColumn(column: SealedColumn): void {
  columns.push(column);
}
