import { CsvError, type InfoRecord, type Parser, parse } from 'csv-parse';
import type { SourceRow } from '../rows.js';
import type { SpooledFile } from './spooled-file.js';
import { type Encoding, textOf } from './text.js';
import { maximumCell, maximumColumns, maximumRecord, unreadable } from './unreadable.js';

export const delimiters = [',', ';', '\t'] as const;
export type Delimiter = (typeof delimiters)[number];

interface CsvOptions {
  encoding?: Encoding | undefined;
  /** Found in the first lines unless it is given. */
  delimiter?: Delimiter | undefined;
}

interface Parsed {
  info: InfoRecord;
  record: string[];
}

/**
 * The rows of a CSV file (RFC 4180, and what practice systems make of it), a page at a time.
 *
 * @throws unreadable-file with line and column: an unfinished quote, NUL characters, rows or cells beyond the limits
 */
export async function* csvRows(
  file: SpooledFile,
  { encoding, delimiter }: CsvOptions = {},
): AsyncGenerator<SourceRow[]> {
  const text = textOf(file, encoding);
  const start = await beginningOf(text);
  const csv = new CsvReader(delimiter ?? delimiterIn(start));
  yield csv.read(start);
  for await (const slice of text) yield csv.read(slice);
  yield csv.finish();
}

/** Enough of the text to see what separates its columns. */
async function beginningOf(text: AsyncGenerator<string>): Promise<string> {
  const first = await text.next();
  return first.done ? '' : first.value;
}

/** `sep=;`, which Excel writes and reads, or whatever separates most in the first lines outside of quotes. */
export function delimiterIn(start: string): Delimiter {
  const said = /^sep=([,;\t])\r?\n/i.exec(start)?.[1];
  if (said) return said as Delimiter;
  const lines = start
    .slice(0, 16_384)
    .replace(/"[^"]*"/g, '')
    .split(/\r\n|\n|\r/, 20);
  const counts = delimiters.map((delimiter) => Math.max(...lines.map((line) => line.split(delimiter).length)));
  return delimiters[counts.indexOf(Math.max(...counts))] ?? ',';
}

class CsvReader {
  private readonly parser: Parser;
  private failure: Error | undefined;
  /** Where the last row ended, for what has no place of its own. */
  private line = 0;
  private sinceRow = 0;
  private mayHoldNul = false;

  constructor(delimiter: Delimiter) {
    this.parser = parse({
      delimiter,
      info: true,
      bom: false,
      relax_column_count: true,
      relax_quotes: true,
      record_delimiter: ['\r\n', '\n', '\r'],
      max_record_size: maximumRecord,
    });
    this.parser.on('error', (error) => {
      this.failure = error;
    });
  }

  read(text: string): SourceRow[] {
    // Rows that end with a text may come with the next one.
    this.mayHoldNul ||= text.includes('\0');
    this.parser.write(text);
    const rows = this.take();
    // The parser counts what stands in cells: a row of nothing but separators would grow without end.
    this.sinceRow = rows.length > 0 ? 0 : this.sinceRow + text.length;
    if (this.sinceRow > maximumRecord)
      throw unreadable('A row does not end within 1 MiB: is a quote left open?', { line: this.line + 1 });
    return rows;
  }

  async finish(): Promise<SourceRow[]> {
    this.parser.end();
    // The last row comes once the end has been taken in.
    await new Promise((resolve) => setImmediate(resolve));
    return this.take();
  }

  private take(): SourceRow[] {
    const rows: SourceRow[] = [];
    for (let parsed = this.next(); parsed; parsed = this.next()) {
      const { info, record } = parsed;
      this.line = info.lines;
      this.check(record);
      if (isBlank(record) || isSeparatorNote(record, this.line)) continue;
      rows.push({ line: info.lines, cells: record });
    }
    if (this.failure) throw this.explained(this.failure);
    return rows;
  }

  private next(): Parsed | null {
    return this.parser.read() as Parsed | null;
  }

  private check(record: readonly string[]): void {
    const { line } = this;
    if (record.length > maximumColumns)
      throw unreadable(`The row has more than ${maximumColumns} columns.`, { line, column: maximumColumns + 1 });
    const long = record.findIndex((cell) => cell.length > maximumCell);
    if (long >= 0) throw unreadable(`A cell is longer than ${maximumCell} characters.`, { line, column: long + 1 });
    const nul = this.mayHoldNul ? record.findIndex((cell) => cell.includes('\0')) : -1;
    if (nul >= 0) throw unreadable('A cell holds a NUL character: is it UTF-16?', { line, column: nul + 1 });
  }

  private explained(error: Error): Error {
    if (!(error instanceof CsvError)) return error;
    const line = typeof error['lines'] === 'number' ? error['lines'] : this.line + 1;
    const column = typeof error['column'] === 'number' ? error['column'] + 1 : undefined;
    const place = column === undefined ? { line } : { line, column };
    if (error.code === 'CSV_QUOTE_NOT_CLOSED') return unreadable('A quote is opened and never closed.', place);
    if (error.code === 'CSV_MAX_RECORD_SIZE')
      return unreadable('A row does not end within 1 MiB: is a quote left open?', { line: this.line + 1 });
    return unreadable('The quotes of a cell do not fit.', place);
  }
}

const isBlank = (record: readonly string[]): boolean => record.every((cell) => cell === '' || cell.trim() === '');
const isSeparatorNote = (record: readonly string[], line: number): boolean =>
  line === 1 && /^sep=/i.test(record[0] ?? '');
