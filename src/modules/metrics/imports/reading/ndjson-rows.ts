import type { Cell, SourceRow } from '../rows.js';
import type { SpooledFile } from './spooled-file.js';
import { type Encoding, textOf } from './text.js';
import { maximumCell, maximumColumns, maximumRecord, unreadable } from './unreadable.js';

type Line = { number: number; text: string };

/** Objects, one a line, as rows under the given columns. A key that is missing is an empty cell. */
export async function* objectRows(
  file: SpooledFile,
  columns: readonly string[],
  encoding?: Encoding,
): AsyncGenerator<SourceRow[]> {
  for await (const lines of linesOf(textOf(file, encoding))) {
    yield lines.map(({ number, text }) => {
      const object = parsed(text, number);
      if (typeof object !== 'object' || object === null || Array.isArray(object))
        throw unreadable('Every line must be a JSON object.', { line: number });
      return { line: number, cells: cellsOf(object as Record<string, unknown>, columns, number) };
    });
  }
}

/** The columns of the first object, to see whether the mapping fits. */
export async function columnsOfObjects(file: SpooledFile, encoding?: Encoding): Promise<string[]> {
  for await (const lines of linesOf(textOf(file, encoding))) {
    const [first] = lines;
    if (!first) continue;
    const object = parsed(first.text, first.number);
    return typeof object === 'object' && object !== null && !Array.isArray(object) ? Object.keys(object) : [];
  }
  return [];
}

/** Rows as `storedRow` wrote them: those of a sheet that was read before. */
export async function* storedRows(file: SpooledFile): AsyncGenerator<SourceRow[]> {
  for await (const lines of linesOf(textOf(file, 'utf-8'))) {
    yield lines.map(({ number, text }) => {
      const [line, ...cells] = parsed(text, number) as [number, ...Cell[]];
      return { line, cells };
    });
  }
}

export const storedRow = ({ line, cells }: SourceRow): string => `${JSON.stringify([line, ...cells])}\n`;

function parsed(text: string, line: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable('The line is not JSON.', { line });
  }
}

function cellsOf(object: Record<string, unknown>, columns: readonly string[], line: number): Cell[] {
  if (Object.keys(object).length > maximumColumns)
    throw unreadable(`The object has more than ${maximumColumns} keys.`, { line });
  return columns.map((column) => {
    const value = Object.hasOwn(object, column) ? object[column] : null;
    if (typeof value === 'object' && value !== null)
      throw unreadable('A value is an object or a list.', { line, column });
    if (typeof value === 'string' && value.includes('\0'))
      throw unreadable('A value holds a NUL character.', { line, column });
    if (typeof value === 'string' && value.length > maximumCell)
      throw unreadable(`A value is longer than ${maximumCell} characters.`, { line, column });
    return (value ?? null) as Cell;
  });
}

async function* linesOf(text: AsyncIterable<string>): AsyncGenerator<Line[]> {
  let rest = '';
  let number = 0;
  const taken = (part: string): Line | undefined => {
    number += 1;
    return part.trim() === '' ? undefined : { number, text: part };
  };
  for await (const slice of text) {
    const parts = (rest + slice).split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > maximumRecord) throw unreadable('A line does not end within 1 MiB.', { line: number + 1 });
    yield parts.map(taken).filter((line) => line !== undefined);
  }
  yield [taken(rest)].filter((line) => line !== undefined);
}
