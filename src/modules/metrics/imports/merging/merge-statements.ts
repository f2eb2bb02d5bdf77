import { type FactTable, type Field, fieldsOf } from '../fields.js';

/**
 * The SQL of a merge that differs from table to table, made once from the list of its fields; nothing of a request is
 * in it. What it stands on is in `staging.ts`.
 *
 * $1 is the clinic, $2 the columns that the mapping fills (others keep what a fact has) or the import.
 */
export interface MergeStatements {
  createRows: string;
  createFacts: string;
  copyRows: string;
  /** $1 clinic, $2 mapped columns: what each row would do. First those with a reference, then the others. */
  classify: readonly string[];
  /** $1 clinic: rows that may not be, by what is known of the clinic or of the row as a whole. */
  refuse: readonly string[];
  /** $1 clinic: refuses changes of facts that the caller may not change, and keeps the others still. */
  lockChanging: string;
  /** $1 clinic, $2 import. */
  insert: string;
  update: string;
  /** $1 clinic, $2 import. */
  undo: UndoStatements;
}

interface UndoStatements {
  /** What the import has left, and how much of it somebody has worked on since. */
  countLeft: string;
  restore: string;
  remove: string;
}

/** Rules over several columns, which hold for facts that are entered by hand too; the refusal names the field. */
const rules: Partial<Record<FactTable, { isBroken: string; field: string; code: string; message: string }>> = {
  appointment_metrics: {
    isBroken: 'f.completed_count + f.cancelled_count + f.no_show_count > f.scheduled_count',
    field: 'scheduledCount',
    code: 'counts-do-not-add-up',
    message: 'More appointments were completed, cancelled and missed than were scheduled.',
  },
  call_metrics: {
    isBroken: 'f.connected_calls + f.voicemails > f.total_calls',
    field: 'totalCalls',
    code: 'counts-do-not-add-up',
    message: 'More calls were connected and answered by machine than there were.',
  },
  patient_metrics: {
    isBroken: `num_nonnulls(${fieldsOf.patient_metrics
      .filter(({ type }) => type.kind === 'integer' || type.kind === 'decimal')
      .map(({ column }) => `f.${column}`)
      .join(', ')}) = 0`,
    field: 'activePatients',
    code: 'nothing-said',
    message: 'The row states nothing but its day.',
  },
};

function statementsFor(table: FactTable): MergeStatements {
  const fields = fieldsOf[table].filter(({ name }) => name !== 'sourceReference');
  const staged = fields.map((field) => `${stagedName(field)} ${stagedType(field)}`).join(', ');
  const typed = fields.map((field) => `${field.column} ${field.type.kind === 'provider' ? 'uuid' : stagedType(field)}`);
  return {
    createRows: `CREATE TEMPORARY TABLE import_rows (line integer, ${staged}, source_reference text) ON COMMIT DROP`,
    createFacts: `CREATE TEMPORARY TABLE import_facts
      (line integer, ${typed.join(', ')}, source_reference text, fact_id uuid, fact_date date, action text) ON COMMIT DROP`,
    copyRows: `COPY pg_temp.import_rows (line, ${fields.map(stagedName).join(', ')}, source_reference) FROM STDIN`,
    classify: [classify(table, fields, withReference), classify(table, fields, withoutReference(fields))],
    refuse: ruleRefusal(table),
    lockChanging: lockChanging(table),
    insert: insertion(table, fields),
    update: change(table, fields),
    undo: undoing(table, fields),
  };
}

/** The names of the columns in the order in which rows are copied: line, then these, then source_reference. */
export const copiedFields = (table: FactTable): string[] =>
  [...fieldsOf[table].filter(({ name }) => name !== 'sourceReference'), { name: 'sourceReference' }].map(
    ({ name }) => name,
  );

/** A provider is looked up by what the file calls it. */
const stagedName = ({ type, column }: Pick<Field, 'type' | 'column'>): string =>
  type.kind === 'provider' ? 'provider' : column;

function stagedType({ type }: Field): string {
  if (type.kind === 'date') return 'date';
  if (type.kind === 'integer') return 'integer';
  if (type.kind === 'member') return 'uuid';
  return type.kind === 'decimal' ? 'numeric(12,2)' : 'text';
}

const withReference = `SELECT r.*, p.provider_id, r.source_reference AS reference
      FROM pg_temp.import_rows r LEFT JOIN pg_temp.import_providers p ON p.name = r.provider
     WHERE r.source_reference IS NOT NULL`;

/**
 * A row without a reference gets one of its content, and of how many like it stand above: the same file again finds
 * the same rows, and two equal rows of one file are two facts.
 */
const withoutReference = (fields: readonly Field[]): string => `
    SELECT h.*, 'row:' || h.content || ':' || row_number() OVER (PARTITION BY h.content ORDER BY h.line) AS reference
      FROM (SELECT r.*, p.provider_id, md5(ROW(${fields.map(contentOf).join(', ')})::text)::uuid AS content
              FROM pg_temp.import_rows r LEFT JOIN pg_temp.import_providers p ON p.name = r.provider
             WHERE r.source_reference IS NULL) h`;

const contentOf = ({ type, column }: Field): string => (type.kind === 'provider' ? 'p.provider_id' : `r.${column}`);

/**
 * Joins each row with the fact that its reference names, and sees whether anything would change.
 *
 * One row at a time by the keys: the statistics of a clinic that is new know nothing of its facts, and a plan made for one
 * of them compares each row with every fact there is. LIMIT keeps the look-ups from being joined in another order.
 */
function classify(table: FactTable, fields: readonly Field[], rows: string): string {
  const columns = fields.map(({ column }) => column);
  const hasProvider = columns.includes('provider_id');
  const source = hasProvider ? rows : withoutProviders(rows);
  const effective = fields.map((field) => `${effectiveValue(field)} AS ${field.column}`);
  const present = columns.map((column) => `t.${column} AS present_${column}`);
  return `
    INSERT INTO pg_temp.import_facts (line, ${columns.join(', ')}, source_reference, fact_id, fact_date, action)
    SELECT line, ${columns.join(', ')}, reference, fact_id, fact_date,
           CASE WHEN fact_id IS NULL THEN 'insert'
                WHEN ROW(${columns.join(', ')}) IS NOT DISTINCT FROM ROW(${columns.map((column) => `present_${column}`).join(', ')})
                THEN 'same' ELSE 'update' END
      FROM (SELECT r.line, r.reference, t.id AS fact_id, t.date AS fact_date, ${effective.join(', ')}, ${present.join(', ')}
              FROM (${source}) r
              LEFT JOIN LATERAL (SELECT s.date, s.fact_id FROM public.fact_sources s
                WHERE s.clinic_id = $1 AND s.fact_table = '${table}' AND s.source_reference = r.reference LIMIT 1) s ON true
              LEFT JOIN LATERAL (SELECT t.* FROM public.${table} t
                WHERE t.clinic_id = $1 AND t.date = s.date AND t.id = s.fact_id LIMIT 1) t ON true
             WHERE NOT EXISTS (SELECT FROM pg_temp.import_refusals n WHERE n.line = r.line)) e`;
}

/** Tables without providers have nothing to look up. */
const withoutProviders = (rows: string): string =>
  rows
    .replaceAll(/ LEFT JOIN pg_temp\.import_providers p ON p\.name = r\.provider/g, '')
    .replaceAll('r.*, p.provider_id', 'r.*');

function effectiveValue({ column, whenEmpty }: Field): string {
  const value = whenEmpty === undefined ? `r.${column}` : `coalesce(r.${column}, ${whenEmpty})`;
  return `CASE WHEN t.id IS NULL OR '${column}' = ANY ($2::text[]) THEN ${value} ELSE t.${column} END`;
}

function ruleRefusal(table: FactTable): string[] {
  const rule = rules[table];
  if (!rule) return [];
  return [
    `INSERT INTO pg_temp.import_refusals (line, field, code, message)
     SELECT f.line, '${rule.field}', '${rule.code}', '${rule.message}' FROM pg_temp.import_facts f WHERE ${rule.isBroken}`,
  ];
}

/** FOR UPDATE asks the policies for UPDATE: what it does not give is another's entry. */
const lockChanging = (table: FactTable): string => `
  WITH permitted AS MATERIALIZED (
    SELECT t.id FROM pg_temp.import_facts f
     CROSS JOIN LATERAL (SELECT t.id FROM public.${table} t
       WHERE t.clinic_id = $1 AND t.date = f.fact_date AND t.id = f.fact_id LIMIT 1 FOR UPDATE) t
     WHERE f.action = 'update')
  INSERT INTO pg_temp.import_refusals (line, code, message)
  SELECT f.line, 'not-yours-to-change', 'The fact was entered by somebody else.' FROM pg_temp.import_facts f
   WHERE f.action = 'update' AND NOT EXISTS (SELECT FROM permitted p WHERE p.id = f.fact_id)`;

function insertion(table: FactTable, fields: readonly Field[]): string {
  const columns = fields.map(({ column }) => column).join(', ');
  return `
    INSERT INTO public.${table} (clinic_id, ${columns}, source_reference, import_id, created_by)
    SELECT $1::uuid, ${columns}, source_reference, $2::uuid, app.user_id()
      FROM pg_temp.import_facts WHERE action = 'insert'`;
}

/** The image is of the fact as it was before: all of the statement sees it so. It was locked, so nobody changes it between. */
function change(table: FactTable, fields: readonly Field[]): string {
  const columns = fields.map(({ column }) => column);
  return `
    WITH changed AS (
      UPDATE public.${table} t SET ${columns.map((column) => `${column} = f.${column}`).join(', ')}
        FROM (SELECT f.*, o.image FROM pg_temp.import_facts f
               CROSS JOIN LATERAL (SELECT to_jsonb(o) AS image FROM public.${table} o
                 WHERE o.clinic_id = $1 AND o.date = f.fact_date AND o.id = f.fact_id LIMIT 1) o
               WHERE f.action = 'update') f
       WHERE t.clinic_id = $1 AND t.date = f.fact_date AND t.id = f.fact_id
      RETURNING t.id, t.date, t.updated_at, f.image)
    INSERT INTO public.import_changes (clinic_id, import_id, fact_id, fact_date, image, left_at)
    SELECT $1::uuid, $2::uuid, id, date, image, updated_at FROM changed`;
}

/**
 * A fact is as the import left it when its updated_at is, or when a later import that changed it was itself undone and
 * put that state back.
 */
function undoing(table: FactTable, fields: readonly Field[]): UndoStatements {
  const columns = fields.map(({ column }) => column);
  const isAsLeft = (left: string): string => `(t.updated_at = ${left} OR EXISTS (
    SELECT FROM public.import_changes u WHERE u.clinic_id = t.clinic_id AND u.fact_id = t.id
       AND u.restored_at = t.updated_at AND (u.image ->> 'updated_at')::timestamptz = ${left}))`;
  return {
    countLeft: `
      WITH c AS (
        SELECT count(*)::integer AS restorable, count(*) FILTER (WHERE t.id IS NULL OR NOT ${isAsLeft('c.left_at')})::integer AS changed
          FROM public.import_changes c
          LEFT JOIN public.${table} t ON t.clinic_id = c.clinic_id AND t.date = c.fact_date AND t.id = c.fact_id
         WHERE c.clinic_id = $1 AND c.import_id = $2),
      a AS (
        SELECT count(*)::integer AS removable, count(*) FILTER (WHERE NOT ${isAsLeft('t.created_at')})::integer AS edited
          FROM public.${table} t WHERE t.clinic_id = $1 AND t.import_id = $2)
      SELECT c.restorable, a.removable, c.changed + a.edited AS changed FROM c, a`,
    restore: `
      WITH images AS MATERIALIZED (
        SELECT c.fact_id, c.fact_date, i.* FROM public.import_changes c,
               LATERAL jsonb_populate_record(NULL::public.${table}, c.image) i
         WHERE c.clinic_id = $1 AND c.import_id = $2),
      restored AS (
        UPDATE public.${table} t SET ${columns.map((column) => `${column} = i.${column}`).join(', ')}
          FROM images i WHERE t.clinic_id = $1 AND t.date = i.fact_date AND t.id = i.fact_id
        RETURNING t.id, t.updated_at),
      noted AS (
        UPDATE public.import_changes c SET restored_at = r.updated_at FROM restored r
         WHERE c.clinic_id = $1 AND c.import_id = $2 AND c.fact_id = r.id
        RETURNING c.fact_id)
      SELECT count(*)::integer AS rows FROM noted`,
    remove: `
      WITH removed AS (DELETE FROM public.${table} WHERE clinic_id = $1 AND import_id = $2 RETURNING id)
      SELECT count(*)::integer AS rows FROM removed`,
  };
}

/** Made when the module is loaded; below what it is made of. */
export const mergeStatements: Readonly<Record<FactTable, MergeStatements>> = {
  financial_metrics: statementsFor('financial_metrics'),
  appointment_metrics: statementsFor('appointment_metrics'),
  call_metrics: statementsFor('call_metrics'),
  patient_metrics: statementsFor('patient_metrics'),
};
