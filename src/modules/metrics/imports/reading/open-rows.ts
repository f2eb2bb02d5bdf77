import { ColumnsMissing } from '../imports.errors.js';
import { ambiguousColumns, missingColumns } from '../mappings/compiled-mapping.js';
import { detectHeader } from '../mappings/header.js';
import type { MappingConfig } from '../mappings/mapping.schemas.js';
import type { Cell, RowSource, SourceRow } from '../rows.js';
import { csvRows, type Delimiter } from './csv-rows.js';
import { columnsOfObjects, objectRows, storedRows } from './ndjson-rows.js';
import type { SpooledFile } from './spooled-file.js';
import type { Encoding } from './text.js';
import { readWorkbook } from './workbook.js';
import { sheetRows } from './xlsx-rows.js';
import { Zip } from './zip.js';

export const fileFormats = ['csv', 'xlsx', 'ndjson'] as const;
export type FileFormat = (typeof fileFormats)[number];

/** How a file is to be read, as far as it does not say so itself. */
export interface ReadingOptions {
  encoding?: Encoding | undefined;
  delimiter?: Delimiter | undefined;
  /** Of a workbook. */
  sheet?: string | undefined;
  /** Of rows that were stored: their header. */
  columns?: readonly string[] | undefined;
}

/** How far down a header is looked for: exports begin with titles, filters and dates. */
const headerLines = 30;

/**
 * The rows of a file under its header.
 *
 * @throws columns-missing when the header lacks columns of the mapping; unreadable-file
 */
export async function openRows(
  file: SpooledFile,
  format: FileFormat | 'rows',
  mapping: MappingConfig,
  options: ReadingOptions,
): Promise<RowSource> {
  switch (format) {
    case 'csv':
      return underHeader(csvRows(file, options), mapping);
    case 'xlsx': {
      const zip = await Zip.open(file);
      const workbook = await readWorkbook(zip, options.sheet);
      return underHeader(sheetRows(zip, workbook), mapping, workbook.countsFrom1904);
    }
    case 'ndjson':
      return objects(file, mapping, options.encoding);
    case 'rows':
      return fitting({ columns: options.columns ?? [], pages: storedRows(file) }, mapping);
  }
}

/** Objects name their values themselves: a key that the first of them lacks is looked for in all. */
async function objects(file: SpooledFile, mapping: MappingConfig, encoding: Encoding | undefined): Promise<RowSource> {
  const wanted = mapping.columns.map(({ column }) => column);
  const present = await columnsOfObjects(file, encoding);
  if (present.length > 0 && !wanted.some((column) => present.includes(column)))
    throw new ColumnsMissing(`The objects have none of the keys ${wanted.join(', ')}.`);
  return { columns: wanted, pages: objectRows(file, wanted, encoding) };
}

async function underHeader(
  pages: AsyncGenerator<SourceRow[]>,
  mapping: MappingConfig,
  countsFrom1904 = false,
): Promise<RowSource> {
  const beginning: SourceRow[] = [];
  while (beginning.length < headerLines) {
    const page = await pages.next();
    if (page.done) break;
    beginning.push(...page.value);
  }
  const at = headerAmong(beginning.slice(0, headerLines), mapping);
  const columns = headerOf(beginning[at]?.cells ?? []);
  return fitting({ columns, pages: following(beginning.slice(at + 1), pages), countsFrom1904 }, mapping);
}

/** The first row that has all columns of the mapping; else the one that looks most like a header, to say what it lacks. */
function headerAmong(rows: readonly SourceRow[], mapping: MappingConfig): number {
  const whole = rows.findIndex(({ cells }) => missingColumns(mapping, headerOf(cells)).length === 0);
  return whole >= 0 ? whole : detectHeader(rows.map(({ cells }) => cells)).row;
}

export function headerOf(cells: readonly Cell[]): string[] {
  return cells.map((cell) => String(cell ?? '').trim());
}

async function* following(first: SourceRow[], pages: AsyncGenerator<SourceRow[]>): AsyncGenerator<SourceRow[]> {
  yield first;
  yield* pages;
}

function fitting(source: RowSource, mapping: MappingConfig): RowSource {
  const missing = missingColumns(mapping, source.columns);
  if (missing.length > 0) throw new ColumnsMissing(`The header has no column ${quoted(missing)}.`);
  const ambiguous = ambiguousColumns(mapping, source.columns);
  if (ambiguous.length > 0) throw new ColumnsMissing(`The header has more than one column ${quoted(ambiguous)}.`);
  return source;
}

const quoted = (names: readonly string[]): string => names.map((name) => `'${name.slice(0, 100)}'`).join(', ');
