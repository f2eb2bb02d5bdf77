import { PassThrough, type Readable } from 'node:stream';
import type { ZipFile } from 'yazl';

/** Rows in the form of the file: for a workbook, `<row>` elements, the heading first of all. */
export interface Page<Content = string> {
  content: Content;
  rowCount: number;
}

/** What a sheet can hold, with its heading (Excel specifications and limits). */
const sheetRows = 1_048_576;
const entryOptions = { compressionLevel: 1 } as const;

/**
 * An XLSX file of any length, made while it is read: pages go into a sheet until it is full, then into the next. The
 * workbook, which names the sheets, comes last in the archive.
 */
export async function workbookOf(pages: Readable, title: string): Promise<Readable> {
  // Loaded by the first workbook: most processes never make one.
  const { default: yazl } = await import('yazl');
  const archive = new yazl.ZipFile();
  const output = archive.outputStream as PassThrough;
  const fail = (error: unknown): void => void output.destroy(error as Error);
  archive.on('error', fail);
  output.once('close', () => pages.destroy());
  void writeSheets(archive, pages, title, sheetRows).catch(fail);
  return output;
}

async function writeSheets(archive: ZipFile, pages: AsyncIterable<Page>, title: string, limit: number): Promise<void> {
  let sheets = 0;
  let rows = Number.POSITIVE_INFINITY;
  let heading = '';
  let sheet: PassThrough | undefined;
  for await (const { content, rowCount } of pages) {
    heading ||= content.slice(0, content.indexOf('</row>') + '</row>'.length);
    if (rows + rowCount > limit) {
      sheet?.end('</sheetData></worksheet>');
      sheet = new PassThrough();
      sheets += 1;
      archive.addReadStream(sheet, `xl/worksheets/sheet${sheets}.xml`, entryOptions);
      await written(sheet, `${sheetStart}${sheets > 1 ? heading : ''}`);
      rows = 1;
    }
    rows += rowCount;
    if (sheet) await written(sheet, content);
  }
  sheet?.end('</sheetData></worksheet>');
  addWorkbook(archive, title, sheets);
  archive.end();
}

/** Resolves when there is room for more. */
function written(stream: PassThrough, text: string): Promise<void> {
  if (stream.write(text)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    stream.once('drain', resolve).once('error', reject).once('close', resolve);
  });
}

function addWorkbook(archive: ZipFile, title: string, sheets: number): void {
  const numbers = Array.from({ length: sheets }, (_, index) => index + 1);
  const parts: Record<string, string> = {
    '[Content_Types].xml': `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="${spreadsheetType}.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="${spreadsheetType}.styles+xml"/>${numbers.map((n) => `<Override PartName="/xl/worksheets/sheet${n}.xml" ContentType="${spreadsheetType}.worksheet+xml"/>`).join('')}</Types>`,
    '_rels/.rels': relationships(
      `<Relationship Id="rId1" Type="${relationshipType}/officeDocument" Target="xl/workbook.xml"/>`,
    ),
    'xl/workbook.xml': `<workbook xmlns="${mainSpace}" xmlns:r="${relationshipType}"><sheets>${numbers.map((n) => `<sheet name="${n === 1 ? title : `${title} ${n}`}" sheetId="${n}" r:id="rId${n}"/>`).join('')}</sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': relationships(
      `${numbers.map((n) => `<Relationship Id="rId${n}" Type="${relationshipType}/worksheet" Target="worksheets/sheet${n}.xml"/>`).join('')}<Relationship Id="rId${sheets + 1}" Type="${relationshipType}/styles" Target="styles.xml"/>`,
    ),
    'xl/styles.xml': styles,
  };
  for (const [path, xml] of Object.entries(parts))
    archive.addBuffer(Buffer.from(declaration + xml), path, entryOptions);
}

const declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const mainSpace = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const relationshipType = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const spreadsheetType = 'application/vnd.openxmlformats-officedocument.spreadsheetml';
const sheetStart = `${declaration}<worksheet xmlns="${mainSpace}"><sheetData>`;

const relationships = (content: string): string =>
  `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${content}</Relationships>`;

/** The second style is a day, shown as 2026-03-31. */
const styles = `<styleSheet xmlns="${mainSpace}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/></numFmts><fonts count="1"><font/></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf xfId="0"/><xf numFmtId="164" xfId="0" applyNumberFormat="1"/></cellXfs></styleSheet>`;
