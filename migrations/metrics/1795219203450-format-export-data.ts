import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Tables as the text of a file, page by page. The rows are formatted where they lie: what crosses to the service is the
 * file, and its memory holds one page. CSV is what COPY writes of a view, which is twice as fast as any expression.
 *
 * Text is made safe for spreadsheets: what begins as a formula does gets an apostrophe in front. Numbers are left alone.
 */
export class FormatExportData1795219203450 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(cells);
    for (const exported of tables) await queryRunner.query(csvView(exported) + pageFunction(exported));
    await queryRunner.query(formatExportData);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const pages = tables.map(({ table }) => `app.export_${table}(uuid, text, date, date, jsonb, integer)`);
    const views = tables.map(({ table }) => `app.csv_${table}`);
    await queryRunner.query(`
      DROP VIEW ${views.join(', ')};
      DROP FUNCTION public.format_export_data(text, uuid, text, date, date, jsonb, integer), ${pages.join(', ')},
        app.csv_text(text), app.xlsx_text(text);
      DROP TYPE app.export_page;
    `);
  }
}

/**
 * `text` is what a person or another system wrote; `word` is ours, and holds nothing that a file would have to escape;
 * `name` is the text that a provider of this id is called by; a `decimal` is text in JSON, which would lose digits.
 */
type Kind = 'text' | 'word' | 'number' | 'decimal' | 'date' | 'name';

/** SQL of what is asked for: the parameters of a function, or the settings that a view reads. */
interface Asked {
  clinic: string;
  from: string;
  to: string;
  /** The row before the page, as an object by names of the file. Empty before the first page. */
  after: string;
}

interface ExportedTable {
  table: string;
  /** Name in the file -> SQL and kind. */
  columns: Readonly<Record<string, readonly [sql: string, kind: Kind]>>;
  from: string;
  where: (asked: Asked) => string;
  /** Name in the file -> SQL and type, in the order of an index. */
  key: Readonly<Record<string, readonly [sql: string, type: keyof typeof least]>>;
}

const inFunction: Asked = { clinic: 'p_clinic', from: 'p_from', to: 'p_to', after: 'p_after' };
const setting = (name: string, type: string): string => `current_setting('app.export_${name}')::${type}`;
const inView: Asked = {
  clinic: setting('clinic', 'uuid'),
  from: setting('from', 'date'),
  to: setting('to', 'date'),
  after: setting('after', 'jsonb'),
};

/** Names are collected once a page: a join costs as much again as all the rest of the row. */
const nameOf = (providerId: string, name: string, clinic: string): string =>
  `(SELECT jsonb_object_agg(p.id, ${name}) FROM public.providers p WHERE p.clinic_id = ${clinic}) ->> ${providerId}::text`;

const providerColumns = (alias: string): ExportedTable['columns'] => ({
  provider: [`${alias}.provider_id`, 'word'],
  providerName: [`${alias}.provider_id`, 'name'],
});

/** Facts leave under the names that an import takes. */
const factTable = (table: string, columns: ExportedTable['columns']): ExportedTable => ({
  table,
  columns: {
    date: ['f.date', 'date'],
    ...columns,
    sourceReference: ['f.source_reference', 'text'],
    id: ['f.id', 'word'],
  },
  from: `public.${table} f`,
  // The day of the key once more, alone: the years before it are passed over.
  where: ({ clinic, from, to, after }) =>
    `f.clinic_id = ${clinic} AND f.date BETWEEN greatest(${from}, (${after} ->> 'date')::date) AND ${to}`,
  key: { date: ['f.date', 'date'], id: ['f.id', 'uuid'] },
});

const tables: readonly ExportedTable[] = [
  factTable('financial_metrics', {
    metricType: ['f.metric_type', 'word'],
    category: ['f.category', 'text'],
    amount: ['f.amount', 'decimal'],
    ...providerColumns('f'),
    insuranceCarrier: ['f.insurance_carrier', 'text'],
    paymentMethod: ['f.payment_method', 'text'],
    procedureCode: ['f.procedure_code', 'text'],
    notes: ['f.notes', 'text'],
  }),
  factTable('appointment_metrics', {
    ...providerColumns('f'),
    appointmentType: ['f.appointment_type', 'text'],
    scheduledCount: ['f.scheduled_count', 'number'],
    completedCount: ['f.completed_count', 'number'],
    cancelledCount: ['f.cancelled_count', 'number'],
    noShowCount: ['f.no_show_count', 'number'],
    averageDuration: ['f.average_duration', 'decimal'],
    productionAmount: ['f.production_amount', 'decimal'],
    utilizationRate: ['f.utilization_rate', 'decimal'],
  }),
  factTable('call_metrics', {
    callType: ['f.call_type', 'text'],
    totalCalls: ['f.total_calls', 'number'],
    connectedCalls: ['f.connected_calls', 'number'],
    voicemails: ['f.voicemails', 'number'],
    appointmentsScheduled: ['f.appointments_scheduled', 'number'],
    conversionRate: ['f.conversion_rate', 'decimal'],
    averageCallDuration: ['f.average_call_duration', 'decimal'],
    staffMember: ['f.staff_member_id', 'word'],
  }),
  factTable('patient_metrics', {
    activePatients: ['f.active_patients', 'number'],
    newPatients: ['f.new_patients', 'number'],
    reactivatedPatients: ['f.reactivated_patients', 'number'],
    lostPatients: ['f.lost_patients', 'number'],
    patientRetentionRate: ['f.patient_retention_rate', 'decimal'],
    averagePatientValue: ['f.average_patient_value', 'decimal'],
    recareComplianceRate: ['f.recare_compliance_rate', 'decimal'],
    treatmentAcceptanceRate: ['f.treatment_acceptance_rate', 'decimal'],
  }),
  {
    table: 'metric_definitions',
    columns: {
      code: ['d.code', 'word'],
      name: ['d.name', 'text'],
      description: ['d.description', 'text'],
      dataType: ['d.data_type', 'word'],
      category: ['d.category', 'text'],
      isComposite: ['d.is_composite', 'word'],
      calculationFormula: ['d.calculation_formula', 'text'],
      behaviour: ['d.behaviour', 'word'],
      isSystem: ['d.is_system', 'word'],
      id: ['d.id', 'word'],
    },
    from: 'public.metric_definitions d',
    where: ({ clinic }) => `(d.clinic_id IS NULL OR d.clinic_id = ${clinic})`,
    key: { code: ['d.code', 'text'] },
  },
  {
    table: 'metric_aggregations',
    columns: {
      metric: ['d.code', 'word'],
      ...providerColumns('a'),
      granularity: ['a.aggregation_type', 'word'],
      periodStart: ['a.period_start', 'date'],
      periodEnd: ['a.period_end', 'date'],
      value: ['a.value', 'decimal'],
      count: ['a.count', 'number'],
      minimum: ['a.minimum', 'decimal'],
      maximum: ['a.maximum', 'decimal'],
      average: ['a.average', 'decimal'],
      standardDeviation: ['a.standard_deviation', 'decimal'],
      metricId: ['a.metric_definition_id', 'word'],
    },
    from: 'public.metric_aggregations a JOIN public.metric_definitions d ON d.id = a.metric_definition_id',
    where: ({ clinic, from, to }) => `a.clinic_id = ${clinic} AND a.period_start BETWEEN ${from} AND ${to}`,
    key: {
      granularity: ['a.aggregation_type', 'text'],
      metricId: ['a.metric_definition_id', 'uuid'],
      periodStart: ['a.period_start', 'date'],
      // The whole clinic, which has no provider, comes first.
      provider: [`coalesce(a.provider_id, '00000000-0000-0000-0000-000000000000')`, 'uuid'],
    },
  },
  {
    table: 'goals',
    columns: {
      name: ['g.name', 'text'],
      metric: ['d.code', 'word'],
      ...providerColumns('g'),
      timePeriod: ['g.time_period', 'word'],
      startDate: ['g.start_date', 'date'],
      endDate: ['g.end_date', 'date'],
      targetValue: ['g.target_value', 'decimal'],
      direction: ['g.direction', 'word'],
      status: ['g.status', 'word'],
      currentValue: ['g.current_value', 'decimal'],
      progress: ['g.progress', 'decimal'],
      id: ['g.id', 'word'],
    },
    from: 'public.goals g JOIN public.metric_definitions d ON d.id = g.metric_definition_id',
    where: ({ clinic, from, to }) => `g.clinic_id = ${clinic} AND g.end_date >= ${from} AND g.start_date <= ${to}`,
    key: { startDate: ['g.start_date', 'date'], id: ['g.id', 'uuid'] },
  },
];

/** First letters by code point: `= + - @`, tab, line feed, carriage return, and the wide forms of the first four. */
const cells = `
  CREATE TYPE app.export_page AS (content text, row_count integer, last_key jsonb);
  COMMENT ON TYPE app.export_page IS 'A page of a file, how many rows it holds, and where the next one begins';

  CREATE FUNCTION app.csv_text(p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ascii(p_text) IN (61, 43, 45, 64, 9, 10, 13, 65309, 65291, 65293, 65312)
             THEN '''' || p_text ELSE p_text END;
  COMMENT ON FUNCTION app.csv_text IS 'A text that no spreadsheet takes for a formula. The quotes of CSV are set by COPY';

  CREATE FUNCTION app.xlsx_text(p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(CASE WHEN ascii(p_text) IN (61, 43, 45, 64, 9, 10, 13, 65309, 65291, 65293, 65312)
             THEN '<c t="inlineStr"><is><t xml:space="preserve">''' ELSE '<c t="inlineStr"><is><t xml:space="preserve">' END
           || CASE WHEN p_text ~ '[&<>\\u0001-\\u0008\\u000b\\u000c\\u000e-\\u001f\\ufffe\\uffff]' THEN
                regexp_replace(replace(replace(replace(p_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'),
                  '[\\u0001-\\u0008\\u000b\\u000c\\u000e-\\u001f\\ufffe\\uffff]', '', 'g') ELSE p_text END
           || '</t></is></c>', '<c/>');
  COMMENT ON FUNCTION app.xlsx_text IS 'A text as a cell of SpreadsheetML: nothing in it is a formula, or what XML cannot hold';
  GRANT EXECUTE ON FUNCTION app.csv_text, app.xlsx_text TO authenticated, super_admin;
`;

/** Where a text is not a plain column it is made safe within: the function is inlined only around what costs nothing. */
function csvCell(sql: string, kind: Kind): string {
  if (kind === 'name') return nameOf(sql, 'app.csv_text(p.name)', inView.clinic);
  return kind === 'text' ? `app.csv_text(${sql})` : sql;
}

function jsonValue(sql: string, kind: Kind): string {
  if (kind === 'name') return nameOf(sql, 'p.name', inFunction.clinic);
  return kind === 'decimal' ? `${sql}::text` : sql;
}

/** Days are the serial numbers of spreadsheets, in the second style of the workbook. */
function xlsxCell(name: string, kind: Kind): string {
  if (kind === 'text' || kind === 'name') return `app.xlsx_text(r."${name}")`;
  if (kind === 'word') return `coalesce('<c t="inlineStr"><is><t>' || r."${name}" || '</t></is></c>', '<c/>')`;
  if (kind === 'date') return `coalesce('<c s="1"><v>' || (r."${name}" - date '1899-12-30') || '</v></c>', '<c/>')`;
  return `coalesce('<c><v>' || r."${name}" || '</v></c>', '<c/>')`;
}

/** What is before every key, so that the first page is asked for as the others are, and the index is entered there. */
const least = {
  date: `'-infinity'::date`,
  uuid: `'00000000-0000-0000-0000-000000000000'::uuid`,
  text: `''`,
};

/** The rows after a key, in its order. Read once a page, not once a row: the key is behind a SELECT of its own. */
function rowsAfter({ from, where, key }: ExportedTable, asked: Asked, limit: string): string {
  const keys = Object.values(key).map(([sql]) => sql);
  const values = Object.entries(key).map(
    ([name, [, type]]) => `(SELECT coalesce(nullif(${asked.after} ->> '${name}', '')::${type}, ${least[type]}))`,
  );
  return `FROM ${from}
       WHERE ${where(asked)} AND (${keys.join(', ')}) > (${values.join(', ')})
       ORDER BY ${keys.join(', ')} LIMIT ${limit}`;
}

/** COPY takes no parameters: the view reads them from settings, which the service makes for its transaction. */
function csvView(exported: ExportedTable): string {
  const { table, columns } = exported;
  const cellsOfRow = Object.entries(columns).map(([name, [sql, kind]]) => `${csvCell(sql, kind)} AS "${name}"`);
  return `
  CREATE VIEW app.csv_${table} WITH (security_invoker = true) AS
    SELECT ${cellsOfRow.join(', ')}
      ${rowsAfter(exported, inView, setting('limit', 'bigint'))};
  COMMENT ON VIEW app.csv_${table} IS
    'The page of ${table} that the settings app.export_* describe, for COPY in CSV, under the policies of the caller';
  GRANT SELECT ON app.csv_${table} TO authenticated, super_admin;
  `;
}

/** One statement: the page by keyset, then each row in its form. */
function pageFunction(exported: ExportedTable): string {
  const { table, columns, key } = exported;
  const named = Object.entries(columns);
  const heading = named.map(([name]) => `<c t="inlineStr"><is><t>${name}</t></is></c>`).join('');
  const selected = named.map(([name, [sql, kind]]) => `${jsonValue(sql, kind)} AS "${name}"`);
  const lastKey = Object.keys(key).map((name) => `'${name}', (array_agg(r."${name}"))[count(*)]`);
  return `
  CREATE FUNCTION app.export_${table}
    (p_clinic uuid, p_format text, p_from date, p_to date, p_after jsonb, p_limit integer)
    RETURNS app.export_page LANGUAGE sql STABLE SET search_path = '' SET datestyle = 'ISO' AS $$
    SELECT ROW(
      CASE WHEN p_after IS NULL AND p_format = 'xlsx' THEN '<row>${heading}</row>' ELSE '' END
      || coalesce(string_agg(CASE p_format
           WHEN 'xlsx' THEN concat('<row>', ${named.map(([name, [, kind]]) => xlsxCell(name, kind)).join(', ')}, '</row>')
           WHEN 'ndjson' THEN row_to_json(r)::text || E'\\n'
           ELSE row_to_json(r)::text END, CASE p_format WHEN 'json' THEN E',\\n' ELSE '' END), ''),
      count(*),
      jsonb_build_object(${lastKey.join(', ')})
    )::app.export_page
    FROM (
      SELECT ${selected.join(', ')}
        ${rowsAfter(exported, inFunction, 'p_limit')}
    ) r
  $$;
  COMMENT ON FUNCTION app.export_${table} IS 'A page of ${table} for public.format_export_data, under the policies of the caller';
  GRANT EXECUTE ON FUNCTION app.export_${table} TO authenticated, super_admin;
  `;
}

const formatExportData = `
  CREATE FUNCTION public.format_export_data
    (p_table text, p_clinic uuid, p_format text, p_from date, p_to date, p_after jsonb, p_limit integer)
    RETURNS app.export_page LANGUAGE plpgsql STABLE SET search_path = '' AS $$
  BEGIN
    IF p_format NOT IN ('xlsx', 'json', 'ndjson') THEN
      RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'A page is xlsx, json or ndjson; CSV is what COPY makes of app.csv_*';
    END IF;
    CASE p_table
${tables.map(({ table }) => `      WHEN '${table}' THEN RETURN app.export_${table}(p_clinic, p_format, p_from, p_to, p_after, p_limit);`).join('\n')}
    END CASE;
  END $$;
  COMMENT ON FUNCTION public.format_export_data IS
    'A page of a table as the text of a file (xlsx with a heading on the first), under the policies of the caller. '
    'The next page begins after last_key; one of fewer rows than the limit is the last';
  GRANT EXECUTE ON FUNCTION public.format_export_data TO authenticated, super_admin;
`;
