import { UnreadableFile } from '../imports.errors.js';

interface Place {
  line?: number;
  column?: string | number;
}

/** The refusal of a whole file, with the place at fault in words and, for programs, in `errors`. */
export function unreadable(message: string, { line, column }: Place = {}): Error {
  const place = [line && `line ${line}`, column !== undefined && `column ${column}`].filter(Boolean).join(', ');
  const path = [line ?? '', column ?? ''].filter((part) => part !== '').join('.');
  const errors = place ? [{ path, code: 'unreadable', message }] : undefined;
  return new UnreadableFile(place ? `${message.replace(/\.$/, '')} (${place}).` : message, { errors });
}

/** More columns than any export has: a file of a million would be held in memory as a million cells a row. */
export const maximumColumns = 500;
export const maximumCell = 32_768;
export const maximumRecord = 1_048_576;
