import type { Field, FieldType } from '../fields.js';
import type { Cell } from '../rows.js';
import { dateReader, isoDate, serialDate } from './dates.js';
import type { Transformation } from './mapping.schemas.js';
import { readNumber, roundedToCents, typedNumber } from './numbers.js';

/** A cell's value as canonical text, ready to be cast; or why it has none. */
export type Reading = { value: string | null } | { code: string; message: string };

export type Reader = (cell: Cell) => Reading;

export interface ReadingLimits {
  /** The last day that a fact may be of, in the zone of the clinic. */
  latestDate: string;
  countsFrom1904?: boolean;
}

const refuse = (code: string, message: string): Reading => ({ code, message });
const nothing: Reading = { value: null };
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controlCharacters = /[\u0000-\u001f\u007f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above, but for tabs and line breaks
const controlCharactersInText = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/** How the cells of a column become values of a field. The same text is read once: columns repeat themselves. */
export function readerFor(field: Field, transformation: Transformation | undefined, limits: ReadingLimits): Reader {
  const read = reader(field, transformation, limits);
  const known = new Map<Cell, Reading>();
  return (cell) => {
    const seen = known.get(cell);
    if (seen) return seen;
    const reading = read(cell);
    if (known.size < 2_000 && !(typeof cell === 'string' && cell.length > 64)) known.set(cell, reading);
    return reading;
  };
}

function reader(field: Field, transformation: Transformation | undefined, limits: ReadingLimits): Reader {
  const interpret = interpreter(field.type, transformation, limits);
  const holdsText = field.type.kind === 'text' || field.type.kind === 'provider';
  return (cell) => {
    const whole = typeof cell === 'string' ? cell.trim() : cell;
    const trimmed = holdsText && typeof whole === 'string' ? withoutGuard(whole) : whole;
    if (trimmed === null || trimmed === '') return emptyValue(field);
    const mapped = transformation?.kind === 'map' ? mapText(transformation, String(trimmed)) : trimmed;
    if (mapped === undefined) return refuse('not-in-map', 'The mapping has no value for this text.');
    return mapped === '' ? emptyValue(field) : interpret(mapped);
  };
}

/** The apostrophe that exports put before text which a spreadsheet would take for a formula. No other one. */
function withoutGuard(text: string): string {
  return /^'[=+\-@\t\r]/.test(text) ? text.slice(1).trim() : text;
}

function emptyValue(field: Field): Reading {
  if (field.isRequired) return refuse('missing', `${field.name} is missing.`);
  return field.whenEmpty === undefined ? nothing : { value: field.whenEmpty };
}

function mapText({ values, otherwise }: Transformation & { kind: 'map' }, text: string): string | undefined {
  const wanted = text.toLowerCase();
  const [, value] = Object.entries(values).find(([key]) => key.trim().toLowerCase() === wanted) ?? [];
  return value ?? otherwise;
}

type Interpreter = (cell: string | number | boolean) => Reading;

function interpreter(type: FieldType, transformation: Transformation | undefined, limits: ReadingLimits): Interpreter {
  switch (type.kind) {
    case 'date':
      return dates(transformation, limits);
    case 'integer':
      return (cell) => integer(cell, separatorOf(transformation), type.maximum);
    case 'decimal':
      return decimals(type, transformation);
    case 'choice':
      return (cell) => choice(String(cell), type.values);
    case 'text':
      return (cell) => text(String(cell), type);
    case 'provider':
      return (cell) => text(String(cell), { kind: 'text', maximum: 200 });
    case 'member':
      return (cell) =>
        uuid.test(String(cell))
          ? { value: String(cell).toLowerCase() }
          : refuse('not-an-id', 'The id of a member of this clinic is expected.');
  }
}

function dates(transformation: Transformation | undefined, { latestDate, countsFrom1904 }: ReadingLimits): Interpreter {
  const format = transformation?.kind === 'date' ? transformation.format : 'YYYY-MM-DD';
  const read = transformation?.kind === 'date' ? dateReader(format) : isoDate;
  return (cell) => {
    const value = typeof cell === 'number' ? serialDate(cell, countsFrom1904) : read?.(String(cell));
    if (value === undefined) return refuse('not-a-date', `A date as ${format} is expected.`);
    if (value < '1990-01-01' || value > latestDate)
      return refuse('date-out-of-range', `The date must be from 1990-01-01 to ${latestDate}.`);
    return { value };
  };
}

function decimals(type: FieldType & { kind: 'decimal' }, transformation: Transformation | undefined): Interpreter {
  const separator = separatorOf(transformation);
  return (cell) => {
    const number = numberOf(cell, separator);
    if (number === undefined) return notANumber(separator);
    // A spreadsheet shows its computed amounts rounded; what somebody wrote with three decimals is not rounded unseen.
    const value = typeof cell === 'number' ? roundedToCents(number) : withoutZeros(number);
    if (/\.\d{3}/.test(value)) return refuse('too-precise', 'At most two decimals are expected.');
    if (Number(value) < type.minimum || Number(value) > type.maximum)
      return refuse('out-of-range', `The number must be from ${type.minimum} to ${type.maximum}.`);
    return { value };
  };
}

function integer(cell: string | number | boolean, separator: '.' | ',', maximum: number): Reading {
  const number = numberOf(cell, separator);
  if (number === undefined) return notANumber(separator);
  const value = withoutZeros(number);
  if (value.includes('.')) return refuse('not-an-integer', 'A whole number is expected.');
  if (Number(value) < 0 || Number(value) > maximum)
    return refuse('out-of-range', `The number must be from 0 to ${maximum}.`);
  return { value };
}

const notANumber = (separator: string): Reading =>
  refuse('not-a-number', `A number with '${separator}' before its decimals is expected.`);

function numberOf(cell: string | number | boolean, separator: '.' | ','): string | undefined {
  if (typeof cell === 'boolean') return undefined;
  return typeof cell === 'number' ? typedNumber(cell) : readNumber(cell, separator);
}

function separatorOf(transformation: Transformation | undefined): '.' | ',' {
  return transformation && 'decimalSeparator' in transformation ? transformation.decimalSeparator : '.';
}

function withoutZeros(number: string): string {
  const value = number.includes('.') ? number.replace(/\.?0+$/, '') : number;
  return value === '-0' ? '0' : value;
}

function choice(value: string, values: readonly string[]): Reading {
  const known = value.toLowerCase().replace(/[\s-]+/g, '_');
  if (!values.includes(known)) return refuse('not-a-choice', `One of ${values.join(', ')} is expected.`);
  return { value: known };
}

function text(value: string, { maximum, isMultiline }: FieldType & { kind: 'text' }): Reading {
  if ((isMultiline ? controlCharactersInText : controlCharacters).test(value))
    return refuse('control-characters', 'The text holds control characters.');
  // As the routes and the database count: characters, not the units of UTF-16.
  if (value.length > maximum && [...value].length > maximum)
    return refuse('too-long', `At most ${maximum} characters are expected.`);
  return { value: value.isWellFormed() ? value : value.toWellFormed() };
}
