import { Injectable } from '@nestjs/common';
import { type FactTable, type Field, fieldsOf } from '../fields.js';
import type { Cell, RowError, SourceRow } from '../rows.js';
import { checkMapping, compileMapping, missingColumns, requiredFields } from './compiled-mapping.js';
import { dateReader, isoDate } from './dates.js';
import { detectHeader } from './header.js';
import type { MappingConfig, Transformation } from './mapping.schemas.js';
import { readNumber } from './numbers.js';

interface Proposal {
  mapping: MappingConfig;
  /** Required fields for which no column was found. */
  missing: string[];
  /** Columns that no field was found for. */
  unmapped: string[];
}

interface PreviewedRow {
  line: number;
  /** What each field would become; null where the cell is empty or refused. */
  values: Record<string, string | null>;
  errors: RowError[];
}

/** Formats in the order in which they are believed: what fits day-first and month-first alike is the former. */
const dateFormats = [
  'YYYY-MM-DD',
  'DD.MM.YYYY',
  'D.M.YYYY',
  'D/M/YYYY',
  'M/D/YYYY',
  'DD-MM-YYYY',
  'D.M.YY',
  'D/M/YY',
  'M/D/YY',
];

/** Helps people to map columns: finds the header, proposes fields, and shows what rows would become. */
@Injectable()
export class MappingAdvice {
  /** @throws MappingRefused */
  check(table: FactTable, mapping: unknown): MappingConfig {
    return checkMapping(table, mapping);
  }

  detectHeader(rows: readonly (readonly Cell[])[]): { row: number; columns: string[] } {
    return detectHeader(rows);
  }

  missingColumns(mapping: MappingConfig, columns: readonly string[]): string[] {
    return missingColumns(mapping, columns);
  }

  /** A mapping by the names of the columns, its transformations by what stands in them. For a person to confirm. */
  propose(table: FactTable, columns: readonly string[], sample: readonly (readonly Cell[])[]): Proposal {
    const mapped: MappingConfig['columns'] = [];
    for (const field of fieldsOf[table]) {
      const taken = new Set(mapped.map(({ column }) => column));
      const column = columns.find((name) => name !== '' && !taken.has(name) && isNamedAfter(field, name));
      if (column === undefined) continue;
      const cells = sample.map((row) => row[columns.indexOf(column)] ?? null);
      const transformation = transformationFor(field, cells);
      mapped.push({ column, field: field.name, ...(transformation && { transformation }) });
    }
    const fields = mapped.map(({ field }) => field);
    return {
      mapping: { columns: mapped },
      missing: requiredFields(table).filter((name) => !fields.includes(name)),
      unmapped: columns.filter((name) => name !== '' && !mapped.some(({ column }) => column === name)),
    };
  }

  /** What rows would become, but for what only the clinic's own data can tell (providers, what is there already). */
  preview(
    table: FactTable,
    mapping: MappingConfig,
    columns: readonly string[],
    rows: readonly SourceRow[],
    latestDate = '9999-12-31',
  ): PreviewedRow[] {
    const compiled = compileMapping(table, mapping, columns, { latestDate });
    return rows.map((row) => {
      const mapped = compiled.apply(row);
      if ('errors' in mapped) return { line: row.line, values: {}, errors: mapped.errors };
      const named = compiled.fields.map(({ name }, index) => [name, mapped.values[index] ?? null] as const);
      return { line: row.line, values: Object.fromEntries(named), errors: [] };
    });
  }
}

function isNamedAfter(field: Field, column: string): boolean {
  const plain = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
  return [field.name, field.column, ...field.headers].some((name) => plain(name) === plain(column));
}

function transformationFor({ type }: Field, cells: readonly Cell[]): Transformation | undefined {
  const texts = cells.filter((cell) => typeof cell === 'string').map((cell) => cell.trim());
  const written = texts.filter((text) => text !== '');
  if (type.kind === 'date') {
    const fits = (format: string): boolean => written.every((text) => dateReader(format)?.(text) !== undefined);
    const format = written.every((text) => isoDate(text)) ? 'YYYY-MM-DD' : dateFormats.find(fits);
    return { kind: 'date', format: format ?? 'YYYY-MM-DD' };
  }
  if (type.kind === 'integer') return { kind: 'number', decimalSeparator: separatorIn(written) };
  if (type.kind === 'decimal') return { kind: type.unit, decimalSeparator: separatorIn(written) };
  return undefined;
}

/** The separator that reads most of them; where thousands look like decimals, that with one or two digits behind. */
function separatorIn(texts: readonly string[]): '.' | ',' {
  const read = (separator: '.' | ','): number =>
    texts.filter((text) => readNumber(text, separator) !== undefined).length;
  const [withPoint, withComma] = [read('.'), read(',')];
  if (withPoint !== withComma) return withComma > withPoint ? ',' : '.';
  return texts.some((text) => /,\d{1,2}\D*$/.test(text)) ? ',' : '.';
}
