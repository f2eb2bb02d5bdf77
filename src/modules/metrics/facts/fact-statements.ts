/** What tells one kind of facts from another: its table, its columns, and what its list is narrowed by. */
export interface FactDescription {
  table: 'financial_metrics' | 'appointment_metrics' | 'call_metrics' | 'patient_metrics';
  /** Columns that are written -> types; the field of the API is the camel-case name. */
  columns: Readonly<Record<string, string>>;
  /** Columns that the database computes. */
  computed?: readonly string[];
  /** Filter of the list -> column. */
  filters: Readonly<Record<string, string>>;
  /** A fact in which all of these columns are null says nothing, and is refused. */
  values?: readonly string[];
}

export interface FactStatements {
  /** What is answered; also for the `RETURNING` of an update. */
  answered: string;
  list: string;
  get: string;
  insert: string;
  remove: string;
}

/** The SQL of a kind. Made once from its description; nothing of a request ever reaches the text. */
export function statementsFor({ table, columns, computed = [], filters }: FactDescription): FactStatements {
  const own = Object.keys(columns);
  const answered = [
    'id, clinic_id, date::text AS date',
    ...own,
    ...computed,
    'source_reference, import_id, created_by, updated_by, created_at, updated_at',
  ].join(', ');
  return {
    answered,
    list: listFacts(table, answered, columns, Object.values(filters)),
    get: `SELECT ${answered} FROM public.${table} WHERE clinic_id = $1 AND id = $2`,
    insert: insertFacts(table, answered, columns),
    remove: `DELETE FROM public.${table} WHERE clinic_id = $1 AND id = $2 RETURNING id`,
  };
}

/**
 * Newest first. Bounds are always given, as values at the ends where the request names none: so the plan that all
 * requests share looks only into the years between them.
 */
function listFacts(
  table: string,
  answered: string,
  columns: FactDescription['columns'],
  filtered: readonly string[],
): string {
  const filters = filtered.map((column, index) => {
    const value = `$${index + 7}::${columns[column]}`;
    return `AND (${value} IS NULL OR f.${column} = ${value})`;
  });
  return `
    SELECT ${answered} FROM public.${table} f
     WHERE f.clinic_id = $1 AND f.date BETWEEN $2::date AND $3::date AND (f.date, f.id) < ($4::date, $5::uuid)
       ${filters.join(' ')}
     ORDER BY f.date DESC, f.id DESC LIMIT $6`;
}

/** Any number of facts in one statement, so that what follows a write (days to roll up, references) follows once. */
function insertFacts(table: string, answered: string, columns: FactDescription['columns']): string {
  const typed = Object.entries(columns).map(([column, type]) => `${column} ${type}`);
  const names = Object.keys(columns).join(', ');
  return `
    INSERT INTO public.${table} (id, clinic_id, date, ${names}, source_reference, created_by)
    SELECT r.id, $1, r.date, ${names}, r.source_reference, app.user_id()
      FROM jsonb_to_recordset($2::jsonb) AS r (id uuid, date date, ${typed.join(', ')}, source_reference text)
    RETURNING ${answered}`;
}
