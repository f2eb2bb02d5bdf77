import { z } from 'zod';

/** `?limit=` and `?cursor=` of every list; routes extend it with their filters. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(1_000).optional().meta({ description: 'The `nextCursor` of the page before.' }),
});

export interface Page<Row> {
  data: Row[];
  nextCursor: string | null;
}

/** The schema of one page of a list. */
export function pageOf<Item extends z.ZodType>(item: Item, id: string) {
  return z.object({ data: z.array(item), nextCursor: z.string().nullable() }).meta({ id });
}

/** Cuts a page from rows of which the SQL asked for one more than the limit: the extra one says that more follow. */
export function toPage<Row>(rows: Row[], limit: number, cursorOf: (last: Row) => string): Page<Row> {
  if (rows.length <= limit) return { data: rows, nextCursor: null };
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, nextCursor: last === undefined ? null : cursorOf(last) };
}
