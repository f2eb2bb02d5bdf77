interface PartialUpdate {
  /** With its schema. */
  table: string;
  /** The row: column -> value. */
  where: Record<string, unknown>;
  /** What the request wants changed; keys that are undefined are left alone, null is a value. */
  changes: Record<string, unknown>;
  /** Which changes may reach which column. A key that is not here cannot reach the SQL. */
  columns: Record<string, string>;
  returning: string;
}

/** The one UPDATE of a PATCH: only the columns that were sent. Undefined when nothing was. */
export function partialUpdate(update: PartialUpdate): { text: string; values: unknown[] } | undefined {
  const changed = Object.entries(update.columns).filter(([key]) => update.changes[key] !== undefined);
  if (changed.length === 0) return undefined;
  const conditions = Object.entries(update.where);
  const values = [...changed.map(([key]) => update.changes[key]), ...conditions.map(([, value]) => value)];
  const assignments = changed.map(([, column], index) => `${column} = $${index + 1}`);
  const filters = conditions.map(([column], index) => `${column} = $${changed.length + index + 1}`);
  const text = `UPDATE ${update.table} SET ${assignments.join(', ')} WHERE ${filters.join(' AND ')} RETURNING ${update.returning}`;
  return { text, values };
}
