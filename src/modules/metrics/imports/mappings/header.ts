import type { Cell } from '../rows.js';

/**
 * Where the header of a table stands, below titles and empty lines: the first row that has as many texts as the widest
 * rows have cells, or nearly so, and is followed by something.
 */
export function detectHeader(rows: readonly (readonly Cell[])[]): { row: number; columns: string[] } {
  const filled = rows.map((cells) => cells.filter((cell) => cell !== null && String(cell).trim() !== ''));
  const widest = Math.max(0, ...filled.map(({ length }) => length));
  const found = filled.findIndex((cells) => cells.length >= widest * 0.6 && cells.every(isName));
  const row = Math.max(0, found);
  return { row, columns: (rows[row] ?? []).map((cell) => String(cell ?? '').trim()) };
}

/** A name holds a letter and is not itself a date or an amount. */
function isName(cell: Cell): boolean {
  return typeof cell === 'string' && /\p{L}/u.test(cell) && cell.trim().length <= 200;
}
