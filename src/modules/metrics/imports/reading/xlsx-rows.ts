import { serialDate } from '../mappings/dates.js';
import type { Cell, SourceRow } from '../rows.js';
import { maximumCell, maximumColumns, unreadable } from './unreadable.js';
import { type Workbook, xmlParser } from './workbook.js';
import type { Zip } from './zip.js';

/**
 * The rows of a sheet as it is unpacked (ECMA-376 part 1, 18.3.1.73). Formulas count by the value that was stored with
 * them; a number whose style is that of a date comes as YYYY-MM-DD.
 */
export async function* sheetRows(zip: Zip, workbook: Workbook): AsyncGenerator<SourceRow[]> {
  const sheet = new SheetReader(workbook);
  for await (const text of zip.text(workbook.sheet)) {
    // A chunk may be all there is of a packed megabyte: rows go on in parts.
    for (let from = 0; from < text.length; from += 65_536) yield sheet.read(text.slice(from, from + 65_536));
  }
  yield sheet.finish();
}

class SheetReader {
  private readonly parser;
  private rows: SourceRow[] = [];
  private line = 0;
  private cells: Cell[] = [];
  private cell = { index: -1, type: 'n', style: 0, text: '' };

  constructor(private readonly workbook: Workbook) {
    this.parser = xmlParser(
      {
        onOpen: (tag, attributes) => this.open(tag, attributes),
        onText: (tags, text) => this.addText(tags, text),
        onClose: (tag) => this.close(tag),
      },
      workbook.sheet,
    );
  }

  read(text: string): SourceRow[] {
    this.parser.write(text);
    return this.taken();
  }

  finish(): SourceRow[] {
    this.parser.close();
    return this.taken();
  }

  private taken(): SourceRow[] {
    const { rows } = this;
    this.rows = [];
    return rows;
  }

  private open(tag: string, { r, t, s }: Partial<Record<string, string>>): void {
    if (tag === 'row') {
      this.line = r === undefined ? this.line + 1 : Number(r);
      this.cells = [];
      this.cell.index = -1;
    } else if (tag === 'c') {
      const index = r === undefined ? this.cell.index + 1 : columnIndex(r);
      if (!(index < maximumColumns))
        throw unreadable(`The sheet has more than ${maximumColumns} columns.`, { line: this.line, column: index + 1 });
      this.cell = { index, type: t ?? 'n', style: Number(s ?? 0), text: '' };
    }
  }

  private addText(tags: readonly string[], text: string): void {
    const tag = tags.at(-1);
    if (tag !== 'v' && !(tag === 't' && tags.includes('is') && !tags.includes('rPh'))) return;
    this.cell.text += text;
    if (this.cell.text.length > maximumCell)
      throw unreadable(`A cell is longer than ${maximumCell} characters.`, {
        line: this.line,
        column: this.cell.index + 1,
      });
  }

  private close(tag: string): void {
    if (tag === 'c') {
      while (this.cells.length < this.cell.index) this.cells.push(null);
      this.cells[this.cell.index] = this.valueOf(this.cell);
    } else if (tag === 'row' && this.cells.some((cell) => cell !== null && cell !== '')) {
      this.rows.push({ line: this.line, cells: this.cells });
    }
  }

  private valueOf({ type, style, text }: { type: string; style: number; text: string }): Cell {
    if (text === '') return null;
    if (type === 's') return this.workbook.strings.get(Number(text)) ?? null;
    if (type === 'b') return text === '1';
    if (type === 'd') return text.slice(0, 10);
    if (type !== 'n') return text;
    const number = Number(text);
    if (!this.workbook.dateStyles[style]) return number;
    return serialDate(number, this.workbook.countsFrom1904) ?? number;
  }
}

/** `AB12` -> 27 */
function columnIndex(reference: string): number {
  let index = 0;
  for (const letter of reference.replace(/\d+$/, '')) index = index * 26 + letter.charCodeAt(0) - 64;
  return index - 1;
}
