import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Tables as the text of a file, page by page. The rows are formatted where they lie: what crosses to the service is the
 * file, and its memory holds one page.
 *
 * Text is made safe for spreadsheets: what begins as a formula does gets an apostrophe in front. Numbers are left alone.
 */
export class FormatExportData1795219203450 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(cells);
    for (const exported of tables) await queryRunner.query(pageFunction(exported));
    await queryRunner.query(formatExportData);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const pages = tables.map(({ table }) => `app.export_${table}(uuid, text, date, date, jsonb, integer)`);
    await queryRunner.query(`
      DROP FUNCTION public.format_export_data(text, uuid, text, date, date, jsonb, integer), ${pages.join(', ')},
        app.csv_text(text), app.xlsx_text(text);
      DROP TYPE app.export_page;
    `);
  }
}

/** `text` is what a person or another system wrote; `word` is ours, and holds nothing that a file would have to escape. */
type Kind = 'text' | 'word' | 'number' | 'date';

interface ExportedTable {
  table: string;
  /** Name in the file -> SQL and kind. Decimals are text already, so that JSON loses no digit. */
  columns: Readonly<Record<string, readonly [sql: string, kind: Kind]>>;
  from: string;
  where: string;
  /** SQL of the keyset, in the order of an index, and what reads it back from `p_after`. */
  key: readonly (readonly [sql: string, type: string])[];
  /** The key of the last row, in names of the file. */
  last: readonly string[];
}

const providerColumns = { provider: ['f.provider_id', 'word'], providerName: ['p.name', 'text'] } as const;

/** Facts leave under the names that an import takes. */
const factTable = (table: string, columns: ExportedTable['columns'], join = ''): ExportedTable => ({
  table,
  columns: {
    date: ['f.date', 'date'],
    ...columns,
    sourceReference: ['f.source_reference', 'text'],
    id: ['f.id', 'word'],
  },
  from: `public.${table} f ${join}`,
  // The day of the key once more, alone: the years before it are passed over.
  where: `f.clinic_id = p_clinic AND f.date BETWEEN greatest(p_from, (p_after ->> 0)::date) AND p_to`,
  key: [
    ['f.date', 'date'],
    ['f.id', 'uuid'],
  ],
  last: ['date', 'id'],
});

const ofProvider = (alias = 'f') =>
  `LEFT JOIN public.providers p ON p.clinic_id = ${alias}.clinic_id AND p.id = ${alias}.provider_id`;

const tables: readonly ExportedTable[] = [
  factTable(
    'financial_metrics',
    {
      metricType: ['f.metric_type', 'word'],
      category: ['f.category', 'text'],
      amount: ['f.amount::text', 'number'],
      ...providerColumns,
      insuranceCarrier: ['f.insurance_carrier', 'text'],
      paymentMethod: ['f.payment_method', 'text'],
      procedureCode: ['f.procedure_code', 'text'],
      notes: ['f.notes', 'text'],
    },
    ofProvider(),
  ),
  factTable(
    'appointment_metrics',
    {
      ...providerColumns,
      appointmentType: ['f.appointment_type', 'text'],
      scheduledCount: ['f.scheduled_count', 'number'],
      completedCount: ['f.completed_count', 'number'],
      cancelledCount: ['f.cancelled_count', 'number'],
      noShowCount: ['f.no_show_count', 'number'],
      averageDuration: ['f.average_duration::text', 'number'],
      productionAmount: ['f.production_amount::text', 'number'],
      utilizationRate: ['f.utilization_rate::text', 'number'],
    },
    ofProvider(),
  ),
  factTable('call_metrics', {
    callType: ['f.call_type', 'text'],
    totalCalls: ['f.total_calls', 'number'],
    connectedCalls: ['f.connected_calls', 'number'],
    voicemails: ['f.voicemails', 'number'],
    appointmentsScheduled: ['f.appointments_scheduled', 'number'],
    conversionRate: ['f.conversion_rate::text', 'number'],
    averageCallDuration: ['f.average_call_duration::text', 'number'],
    staffMember: ['f.staff_member_id', 'word'],
  }),
  factTable('patient_metrics', {
    activePatients: ['f.active_patients', 'number'],
    newPatients: ['f.new_patients', 'number'],
    reactivatedPatients: ['f.reactivated_patients', 'number'],
    lostPatients: ['f.lost_patients', 'number'],
    patientRetentionRate: ['f.patient_retention_rate::text', 'number'],
    averagePatientValue: ['f.average_patient_value::text', 'number'],
    recareComplianceRate: ['f.recare_compliance_rate::text', 'number'],
    treatmentAcceptanceRate: ['f.treatment_acceptance_rate::text', 'number'],
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
    where: '(d.clinic_id IS NULL OR d.clinic_id = p_clinic)',
    key: [['d.code', 'text']],
    last: ['code'],
  },
  {
    table: 'metric_aggregations',
    columns: {
      metric: ['d.code', 'word'],
      provider: ['a.provider_id', 'word'],
      providerName: ['p.name', 'text'],
      granularity: ['a.aggregation_type', 'word'],
      periodStart: ['a.period_start', 'date'],
      periodEnd: ['a.period_end', 'date'],
      value: ['a.value::text', 'number'],
      count: ['a.count', 'number'],
      minimum: ['a.minimum::text', 'number'],
      maximum: ['a.maximum::text', 'number'],
      average: ['a.average::text', 'number'],
      standardDeviation: ['a.standard_deviation::text', 'number'],
      metricId: ['a.metric_definition_id', 'word'],
    },
    from: `public.metric_aggregations a JOIN public.metric_definitions d ON d.id = a.metric_definition_id ${ofProvider('a')}`,
    where: 'a.clinic_id = p_clinic AND a.period_start BETWEEN p_from AND p_to',
    key: [
      ['a.aggregation_type', 'text'],
      ['a.metric_definition_id', 'uuid'],
      ['a.period_start', 'date'],
      // The whole clinic, which has no provider, comes first.
      [`coalesce(a.provider_id, '00000000-0000-0000-0000-000000000000')`, 'uuid'],
    ],
    last: ['granularity', 'metricId', 'periodStart', 'provider'],
  },
  {
    table: 'goals',
    columns: {
      name: ['g.name', 'text'],
      metric: ['d.code', 'word'],
      provider: ['g.provider_id', 'word'],
      providerName: ['p.name', 'text'],
      timePeriod: ['g.time_period', 'word'],
      startDate: ['g.start_date', 'date'],
      endDate: ['g.end_date', 'date'],
      targetValue: ['g.target_value::text', 'number'],
      direction: ['g.direction', 'word'],
      status: ['g.status', 'word'],
      currentValue: ['g.current_value::text', 'number'],
      progress: ['g.progress::text', 'number'],
      id: ['g.id', 'word'],
    },
    from: `public.goals g JOIN public.metric_definitions d ON d.id = g.metric_definition_id ${ofProvider('g')}`,
    where: 'g.clinic_id = p_clinic AND g.end_date >= p_from AND g.start_date <= p_to',
    key: [
      ['g.start_date', 'date'],
      ['g.id', 'uuid'],
    ],
    last: ['startDate', 'id'],
  },
];

/** First letters by code point: `= + - @`, tab, line feed, carriage return, and the wide forms of the first four. */
const cells = `
  CREATE TYPE app.export_page AS (content text, row_count integer, last_key jsonb);
  COMMENT ON TYPE app.export_page IS 'A page of a file, how many rows it holds, and where the next one begins';

  CREATE FUNCTION app.csv_text(p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ascii(p_text) IN (61, 43, 45, 64, 9, 10, 13, 65309, 65291, 65293, 65312) THEN '"''' ELSE '"' END
           || replace(p_text, '"', '""') || '"';
  COMMENT ON FUNCTION app.csv_text IS 'A text as a cell of RFC 4180 that no spreadsheet takes for a formula';

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

const csvCell = (name: string, kind: Kind): string => (kind === 'text' ? `app.csv_text(r."${name}")` : `r."${name}"`);

/** Days are the serial numbers of spreadsheets, in the second style of the workbook. */
function xlsxCell(name: string, kind: Kind): string {
  if (kind === 'text') return `app.xlsx_text(r."${name}")`;
  if (kind === 'word') return `coalesce('<c t="inlineStr"><is><t>' || r."${name}" || '</t></is></c>', '<c/>')`;
  if (kind === 'date') return `coalesce('<c s="1"><v>' || (r."${name}" - date '1899-12-30') || '</v></c>', '<c/>')`;
  return `coalesce('<c><v>' || r."${name}" || '</v></c>', '<c/>')`;
}

/** What is before every key, so that the first page is asked for as the others are, and the index is entered there. */
const least: Readonly<Record<string, string>> = {
  date: `'-infinity'::date`,
  uuid: `'00000000-0000-0000-0000-000000000000'::uuid`,
  text: `''`,
};

/** One statement: the page by keyset, then each row in its form. */
function pageFunction({ table, columns, from, where, key, last }: ExportedTable): string {
  const named = Object.entries(columns);
  const names = named.map(([name]) => name);
  const heading = names.map((name) => `<c t="inlineStr"><is><t>${name}</t></is></c>`).join('');
  const selected = named.map(([name, [sql]]) => `${sql} AS "${name}"`).join(', ');
  const keys = key.map(([sql]) => sql).join(', ');
  const after = key.map(([, type], index) => `coalesce((p_after ->> ${index})::${type}, ${least[type]})`).join(', ');
  const lastKey = last.map((name) => `(array_agg(r."${name}"))[count(*)]`).join(', ');
  return `
  CREATE FUNCTION app.export_${table}
    (p_clinic uuid, p_format text, p_from date, p_to date, p_after jsonb, p_limit integer)
    RETURNS app.export_page LANGUAGE sql STABLE SET search_path = '' SET datestyle = 'ISO' AS $$
    SELECT ROW(
      CASE WHEN p_after IS NULL AND p_format = 'csv' THEN E'${names.join(',')}\\r\\n'
           WHEN p_after IS NULL AND p_format = 'xlsx' THEN '<row>${heading}</row>' ELSE '' END
      || coalesce(string_agg(CASE p_format
           WHEN 'csv' THEN concat(${named.map(([name, [, kind]]) => csvCell(name, kind)).join(`, ',', `)}, E'\\r\\n')
           WHEN 'xlsx' THEN concat('<row>', ${named.map(([name, [, kind]]) => xlsxCell(name, kind)).join(', ')}, '</row>')
           WHEN 'ndjson' THEN row_to_json(r)::text || E'\\n'
           ELSE row_to_json(r)::text END, CASE p_format WHEN 'json' THEN E',\\n' ELSE '' END), ''),
      count(*),
      jsonb_build_array(${lastKey})
    )::app.export_page
    FROM (
      SELECT ${selected}
        FROM ${from}
       WHERE ${where} AND (${keys}) > (${after})
       ORDER BY ${keys} LIMIT p_limit
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
    IF p_format NOT IN ('csv', 'xlsx', 'json', 'ndjson') THEN
      RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'A page is csv, xlsx, json or ndjson';
    END IF;
    CASE p_table
${tables.map(({ table }) => `      WHEN '${table}' THEN RETURN app.export_${table}(p_clinic, p_format, p_from, p_to, p_after, p_limit);`).join('\n')}
    END CASE;
  END $$;
  COMMENT ON FUNCTION public.format_export_data IS
    'A page of a table as the text of a file (csv and xlsx with a heading on the first), under the policies of the caller. '
    'The next page begins after last_key; one of fewer rows than the limit is the last';
  GRANT EXECUTE ON FUNCTION public.format_export_data TO authenticated, super_admin;
`;
