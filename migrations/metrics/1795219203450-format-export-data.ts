import type { MigrationInterface, QueryRunner } from 'typeorm';
import { type Asked, type ExportedTable, exportedTables, type Kind, least } from '../support/exported-tables.js';

/**
 * Tables as the text of a file, page by page. The rows are formatted where they lie: what crosses to the service is the
 * file, and its memory holds one page. CSV is what COPY writes of a view, which was faster than every expression tried.
 *
 * Text is made safe for spreadsheets: what begins as a formula does gets an apostrophe in front. Numbers are left alone.
 */
export class FormatExportData1795219203450 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(cells);
    for (const exported of exportedTables) await queryRunner.query(csvView(exported) + pageFunction(exported));
    await queryRunner.query(formatExportData);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const pages = exportedTables.map(({ table }) => `app.export_${table}(uuid, text, date, date, jsonb, integer)`);
    const views = exportedTables.map(({ table }) => `app.csv_${table}`);
    await queryRunner.query(`
      DROP VIEW ${views.join(', ')};
      DROP FUNCTION public.format_export_data(text, uuid, text, date, date, jsonb, integer), ${pages.join(', ')},
        app.csv_text(text), app.xlsx_text(text);
      DROP TYPE app.export_page;
    `);
  }
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
${exportedTables.map(({ table }) => `      WHEN '${table}' THEN RETURN app.export_${table}(p_clinic, p_format, p_from, p_to, p_after, p_limit);`).join('\n')}
    END CASE;
  END $$;
  COMMENT ON FUNCTION public.format_export_data IS
    'A page of a table as the text of a file (xlsx with a heading on the first), under the policies of the caller. '
    'The next page begins after last_key; one of fewer rows than the limit is the last';
  GRANT EXECUTE ON FUNCTION public.format_export_data TO authenticated, super_admin;
`;
