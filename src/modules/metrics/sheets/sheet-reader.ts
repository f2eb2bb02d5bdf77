import { Injectable } from '@nestjs/common';
import {
  GoogleSpreadsheets,
  type SheetCell,
  type SheetProperties,
  type SpreadsheetProperties,
} from '../../../integrations/google/google-spreadsheets.js';
import { MappingAdvice } from '../imports/mappings/mapping-advice.js';
import type { SourceRow } from '../imports/rows.js';
import { GoogleTokens } from './google-tokens.js';
import { SheetMissing } from './sheets.errors.js';

/** A spreadsheet, and whose account reads it. */
export interface SheetSource {
  credentialId: string;
  spreadsheetId: string;
}

/** The header of a sheet as it is now, and the rows right below it. */
export interface HeadedSheet {
  sheet: SheetProperties;
  /** From 1, as people count. */
  headerLine: number;
  columns: string[];
  sample: SourceRow[];
}

/** How far down a header is looked for, and rows for a preview. */
const previewedRows = 20;
const rowsAtTheTop = 45;

/** Reads connected spreadsheets: their sheets, the header of one, and the rows below it page by page. */
@Injectable()
export class SheetReader {
  constructor(
    private readonly tokens: GoogleTokens,
    private readonly spreadsheets: GoogleSpreadsheets,
    private readonly advice: MappingAdvice,
  ) {}

  describe({ credentialId, spreadsheetId }: SheetSource): Promise<SpreadsheetProperties> {
    return this.tokens.call(credentialId, (token) => this.spreadsheets.describe(token, spreadsheetId));
  }

  /** @throws SheetMissing */
  async headed(
    { credentialId, spreadsheetId }: SheetSource,
    file: SpreadsheetProperties,
    name: string,
  ): Promise<HeadedSheet> {
    const sheet = file.sheets.find(({ title }) => title === name);
    if (!sheet) throw new SheetMissing(`The spreadsheet has no sheet '${name}' any more.`);
    const { rows } = await this.tokens.call(credentialId, (token) =>
      this.spreadsheets.page(token, spreadsheetId, sheet, { firstRow: 1, lastRow: rowsAtTheTop }),
    );
    const { row, columns } = this.advice.detectHeader(rows);
    const below = rows.slice(row + 1).map((cells, index) => rowOf(row + 2 + index, cells, columns));
    const sample = below.filter(isFilled).slice(0, previewedRows);
    return { sheet, headerLine: row + 1, columns, sample };
  }

  /** Empty rows are passed over; a line keeps its number. */
  async *rows(
    { credentialId, spreadsheetId }: SheetSource,
    { sheet, headerLine, columns }: HeadedSheet,
  ): AsyncGenerator<SourceRow[]> {
    const size = this.spreadsheets.pageSize(sheet);
    for (let firstRow = headerLine + 1; firstRow <= sheet.rowCount; firstRow += size) {
      const { rows } = await this.tokens.call(credentialId, (token) =>
        this.spreadsheets.page(token, spreadsheetId, sheet, { firstRow, lastRow: firstRow + size - 1 }),
      );
      const filled = rows.map((cells, index) => rowOf(firstRow + index, cells, columns)).filter(isFilled);
      if (filled.length > 0) yield filled;
    }
  }
}

/** What somebody noted beside the table, under no header, is none of its columns. */
const rowOf = (line: number, cells: SheetCell[], columns: readonly string[]): SourceRow => ({
  line,
  cells: cells.slice(0, columns.length),
});

const isFilled = ({ cells }: SourceRow): boolean => cells.some((cell) => cell !== null);
