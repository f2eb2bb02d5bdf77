import { parse } from 'csv-parse/sync';

/** What COPY wrote of a page: a heading and rows, made a part of a file. */
export interface CsvPage {
  content: Buffer;
  /** The last row by the names of the heading, the key among them. Undefined on a page without rows. */
  lastKey: Record<string, string> | undefined;
}

/** PostgreSQL ends rows with a line feed alone and heads every page; RFC 4180 wants both ends, and one heading. */
export function csvPageOf(written: readonly Buffer[], isFirst: boolean): CsvPage {
  const page = Buffer.concat(rowEndsOf(written));
  const headingEnd = page.indexOf('\n') + 1;
  const lastKey = headingEnd < page.length ? recordOf(page.subarray(0, headingEnd), lastRowOf(page)) : undefined;
  return { content: isFirst ? page : page.subarray(headingEnd), lastKey };
}

/** Byte by byte as Latin-1: what UTF-8 makes of other letters is neither a quote nor a line feed. */
function rowEndsOf(written: readonly Buffer[]): Buffer[] {
  let isQuoted = false;
  return written.map((bytes) => {
    const [first = '', ...others] = bytes.toString('latin1').split('"');
    let text = isQuoted ? first : first.replaceAll('\n', '\r\n');
    for (const part of others) {
      isQuoted = !isQuoted;
      text += `"${isQuoted ? part : part.replaceAll('\n', '\r\n')}`;
    }
    return Buffer.from(text, 'latin1');
  });
}

/** From the end back to the first line feed that no quotes enclose: behind it their number is even. */
function lastRowOf(page: Buffer): Buffer {
  let start = page.length - 1;
  do start = page.lastIndexOf('\n', start - 1);
  while (page.toString('latin1', start).split('"').length % 2 === 0);
  return page.subarray(start + 1);
}

function recordOf(heading: Buffer, row: Buffer): Record<string, string> | undefined {
  const [record] = parse<Record<string, string>>(Buffer.concat([heading, row]), { columns: true });
  return record;
}
