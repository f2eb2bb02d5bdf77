import type { QueryResult, QueryResultRow } from 'pg';

const camelNames = new Map<string, string>();

/** Renames the snake-case columns of a result to the camel-case keys of the API, recursing into no value. */
export function camelCased<Row>(result: QueryResult<QueryResultRow>): Row[] {
  const renames = result.fields?.map((field) => [field.name, camelName(field.name)] as const) ?? [];
  if (renames.every(([column, key]) => column === key)) return result.rows as Row[];
  return result.rows.map((row) => {
    const renamed: Record<string, unknown> = {};
    for (const [column, key] of renames) renamed[key] = row[column];
    return renamed as Row;
  });
}

/** `created_at` -> `createdAt`. The names of columns are few, so each is worked out once. */
export function camelName(column: string): string {
  let name = camelNames.get(column);
  if (name === undefined) {
    name = column.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    camelNames.set(column, name);
  }
  return name;
}
