import { parse } from 'csv-parse/sync';
import type { KeyedPage } from './pages.js';

const lineFeed = 10;
const carriageReturn = 13;
const roomAtFirst = 1_048_576;

/** Rows as COPY writes them, a heading first, put together to a part of a file. */
export class CsvPage {
  private bytes = Buffer.allocUnsafe(roomAtFirst);
  private length = 0;
  private headingLength = 0;
  private lastRowAt = 0;
  private lines = 0;

  /** PostgreSQL ends a row with a line feed alone; RFC 4180 has a carriage return before it. */
  add(row: Buffer): void {
    if (this.length + row.length >= this.bytes.length) this.grow(row.length);
    this.lastRowAt = this.length;
    this.bytes.set(row, this.length);
    this.length += row.length + 1;
    this.bytes[this.length - 2] = carriageReturn;
    this.bytes[this.length - 1] = lineFeed;
    if (this.lines === 0) this.headingLength = this.length;
    this.lines += 1;
  }

  /** The page, and its last row by the names of the heading: the next page begins behind it. Only a file's first is headed. */
  closed(isFirst: boolean): Omit<KeyedPage<Buffer>, 'size'> {
    const heading = this.bytes.subarray(0, this.headingLength);
    const last = this.bytes.subarray(this.lastRowAt, this.length);
    const [lastKey] = parse(Buffer.concat([heading, last]), { columns: true });
    const content = this.bytes.subarray(isFirst ? 0 : this.headingLength, this.length);
    return { content, rowCount: this.lines - 1, lastKey };
  }

  private grow(atLeast: number): void {
    const larger = Buffer.allocUnsafe(this.bytes.length * 2 + atLeast);
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
