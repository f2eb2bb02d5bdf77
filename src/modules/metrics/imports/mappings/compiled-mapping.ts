import type { FieldError } from '../../../../kernel/errors/domain-error.js';
import { type FactTable, type Field, fieldsOf } from '../fields.js';
import { MappingRefused } from '../imports.errors.js';
import type { Cell, RowError, SourceRow } from '../rows.js';
import { dateReader } from './dates.js';
import { MappingConfig, type Transformation } from './mapping.schemas.js';
import { type Reader, type ReadingLimits, readerFor } from './values.js';

/** A row as the table wants it: a value for each field of the mapping, in its order; or what is wrong with it. */
export type MappedRow = { values: (string | null)[] } | { errors: RowError[] };

interface MappedField {
  field: Field;
  column: string | null;
  /** Where the cell stands in a row; a constant has none. */
  index: number;
  read: Reader;
  constant: Cell;
}

/** A mapping that was checked against its table and bound to the columns of one source. */
export class CompiledMapping {
  readonly fields: readonly Field[];

  constructor(
    private readonly mapped: readonly MappedField[],
    private readonly width: number,
  ) {
    this.fields = mapped.map(({ field }) => field);
  }

  apply(row: SourceRow): MappedRow {
    const values: (string | null)[] = [];
    const errors: RowError[] = [];
    for (const { field, column, index, read, constant } of this.mapped) {
      const reading = read(index < 0 ? constant : (row.cells[index] ?? null));
      if ('value' in reading) values.push(reading.value);
      else errors.push({ line: row.line, column, field: field.name, ...reading });
    }
    if (row.cells.length > this.width && row.cells.slice(this.width).some((cell) => cell !== null && cell !== ''))
      errors.push(surplus(row.line));
    return errors.length > 0 ? { errors } : { values };
  }
}

/** Cells beyond the header are most often the two halves of a number whose comma was taken for a separator. */
const surplus = (line: number): RowError => ({
  line,
  column: null,
  field: null,
  code: 'too-many-cells',
  message: 'The row has more cells than the header has columns.',
});

/**
 * Checks a mapping against its table.
 *
 * @throws MappingRefused that names everything wrong at once: nothing is ever dropped silently
 */
export function checkMapping(table: FactTable, mapping: unknown): MappingConfig {
  const parsed = MappingConfig.safeParse(mapping);
  if (!parsed.success) {
    const errors = parsed.error.issues.map(({ path, message }) => problemAt(path.join('.'), 'malformed', message));
    throw new MappingRefused(undefined, { errors });
  }
  const { columns, constants = {} } = parsed.data;
  const errors = [
    ...columns.flatMap(({ field, transformation }, index) => [
      ...fieldProblems(table, field, `columns.${index}.field`),
      ...transformationProblems(fieldNamed(table, field), transformation, `columns.${index}.transformation`),
    ]),
    ...Object.keys(constants).flatMap((field) => fieldProblems(table, field, `constants.${field}`)),
    ...repeated(columns.map(({ column }) => column.toLowerCase())).map((at) =>
      problemAt(`columns.${at}.column`, 'column-twice', 'The column is mapped twice.'),
    ),
    ...repeatedFields(columns, constants),
    ...missingFields(table, [...columns.map(({ field }) => field), ...Object.keys(constants)]),
    ...constantProblems(table, constants),
  ];
  if (errors.length > 0) throw new MappingRefused(undefined, { errors });
  return parsed.data;
}

/** Binds a checked mapping to the columns of a source, all of which must be there: see missingColumns. */
export function compileMapping(
  table: FactTable,
  mapping: MappingConfig,
  columns: readonly string[],
  limits: ReadingLimits,
): CompiledMapping {
  const positions = positionsOf(columns);
  const fromColumns = mapping.columns.flatMap(({ column, field: name, transformation }) => {
    const field = fieldNamed(table, name);
    if (!field) return [];
    const index = positions.get(column.trim().toLowerCase()) ?? -1;
    return [{ field, column, index, read: readerFor(field, transformation, limits), constant: null }];
  });
  const fromConstants = Object.entries(mapping.constants ?? {}).flatMap(([name, constant]) => {
    const field = fieldNamed(table, name);
    return field ? [{ field, column: null, index: -1, read: readerFor(field, undefined, limits), constant }] : [];
  });
  return new CompiledMapping([...fromColumns, ...fromConstants], columns.length);
}

/** The columns that the mapping needs and the source has not. */
export function missingColumns(mapping: MappingConfig, columns: readonly string[]): string[] {
  const positions = positionsOf(columns);
  return mapping.columns.map(({ column }) => column).filter((column) => !positions.has(column.trim().toLowerCase()));
}

/** Columns that carry the same name: which one is meant cannot be known. */
export function ambiguousColumns(mapping: MappingConfig, columns: readonly string[]): string[] {
  const names = columns.map((column) => column.trim().toLowerCase());
  return mapping.columns
    .map(({ column }) => column)
    .filter((column) => names.filter((name) => name === column.trim().toLowerCase()).length > 1);
}

function positionsOf(columns: readonly string[]): Map<string, number> {
  return new Map(columns.map((column, index) => [column.trim().toLowerCase(), index]));
}

export function fieldNamed(table: FactTable, name: string): Field | undefined {
  return fieldsOf[table].find((field) => field.name === name);
}

const problemAt = (path: string, code: string, message: string): FieldError => ({ path, code, message });

function fieldProblems(table: FactTable, name: string, path: string): FieldError[] {
  if (fieldNamed(table, name)) return [];
  const known = fieldsOf[table].map((field) => field.name).join(', ');
  return [problemAt(path, 'unknown-field', `${table} has no field of this name to map to; it has ${known}.`)];
}

function transformationProblems(
  field: Field | undefined,
  transformation: Transformation | undefined,
  path: string,
): FieldError[] {
  if (!field || !transformation) return [];
  const { kind } = transformation;
  if (kind === 'date' && !dateReader(transformation.format))
    return [problemAt(`${path}.format`, 'unknown-format', 'A day, a month and a year are expected, once each.')];
  const isNumeric = kind === 'number' || kind === 'currency' || kind === 'percent';
  const takesNumbers = field.type.kind === 'integer' || field.type.kind === 'decimal';
  if ((kind === 'date') === (field.type.kind === 'date') && (!isNumeric || takesNumbers)) return [];
  if (kind === 'trim' || kind === 'map') return [];
  return [problemAt(`${path}.kind`, 'wrong-transformation', `${field.name} is not a ${kind}.`)];
}

function repeated(names: readonly string[]): number[] {
  return names.flatMap((name, index) => (names.indexOf(name) < index ? [index] : []));
}

function repeatedFields(columns: MappingConfig['columns'], constants: Record<string, string>): FieldError[] {
  const message = 'The field is mapped twice.';
  const fields = columns.map(({ field }) => field);
  return [
    ...repeated(fields).map((at) => problemAt(`columns.${at}.field`, 'field-twice', message)),
    ...fields.flatMap((field) => (field in constants ? [problemAt(`constants.${field}`, 'field-twice', message)] : [])),
  ];
}

function missingFields(table: FactTable, names: readonly string[]): FieldError[] {
  return requiredFields(table)
    .filter((name) => !names.includes(name))
    .map((name) =>
      problemAt(name, 'field-missing', `${table} needs ${name}: map a column to it, or make it constant.`),
    );
}

export function requiredFields(table: FactTable): string[] {
  return fieldsOf[table].filter(({ isRequired }) => isRequired).map(({ name }) => name);
}

/** A constant that no row could use would refuse every row; dates are judged by the day, when rows are read. */
function constantProblems(table: FactTable, constants: Record<string, string>): FieldError[] {
  return Object.entries(constants).flatMap(([name, constant]) => {
    const field = fieldNamed(table, name);
    if (!field) return [];
    if (name === 'sourceReference')
      return [problemAt(`constants.${name}`, 'not-constant', 'It differs from row to row.')];
    const reading = readerFor(field, undefined, { latestDate: '9999-12-31' })(constant);
    return 'value' in reading ? [] : [problemAt(`constants.${name}`, reading.code, reading.message)];
  });
}
