import { z } from 'zod';
import type { GoogleClient } from './google-client.js';
import { askingGoogle, GoogleFailure } from './google-failure.js';

/** As the spreadsheet holds it: numbers exact, dates as serial numbers; null for an empty cell. */
export type SheetCell = string | number | boolean | null;

export interface SpreadsheetFile {
  spreadsheetId: string;
  name: string;
  modifiedAt: string | null;
}

export interface SheetProperties {
  title: string;
  isHidden: boolean;
  rowCount: number;
  columnCount: number;
}

export interface SpreadsheetProperties {
  spreadsheetId: string;
  name: string;
  /** Sheets with a grid, in their order; not charts. */
  sheets: SheetProperties[];
}

/** Consecutive rows of a sheet; `firstRow` counts from 1, as people do. */
export interface SheetPage {
  firstRow: number;
  rows: SheetCell[][];
}

/** Google limits calls per minute, not rows: pages are as large as memory allows. */
const mostRowsOfPage = 2_000;
const mostCellsOfPage = 60_000;

const Files = z.object({
  nextPageToken: z.string().optional(),
  files: z.array(z.object({ id: z.string(), name: z.string(), modifiedTime: z.string().nullish() })),
});
const Grid = z.object({ rowCount: z.int().min(0), columnCount: z.int().min(0) });
const Properties = z.object({
  properties: z.object({ title: z.string() }),
  sheets: z.array(
    z.object({
      properties: z.object({ title: z.string(), hidden: z.boolean().default(false), gridProperties: Grid.optional() }),
    }),
  ),
});
const Values = z.object({
  values: z.array(z.array(z.union([z.string(), z.number(), z.boolean(), z.null()]))).default([]),
});

/** Spreadsheets as the holder of an access token sees them. Reads; never writes. */
export class GoogleSpreadsheets {
  constructor(private readonly google: GoogleClient) {}

  async list(
    accessToken: string,
    { search, pageToken, limit }: { search?: string | undefined; pageToken?: string | undefined; limit: number },
  ): Promise<{ files: SpreadsheetFile[]; nextPageToken: string | null }> {
    const { drive } = await import('@googleapis/drive');
    const auth = await this.google.open(accessToken);
    const answer = await askingGoogle(() =>
      drive({ version: 'v3', auth, ...this.google.apiOptions }).files.list({
        q: searchTerm(search),
        orderBy: 'modifiedTime desc',
        fields: 'nextPageToken,files(id,name,modifiedTime)',
        pageSize: limit,
        ...(pageToken && { pageToken }),
      }),
    );
    const { files, nextPageToken = null } = checked(Files, answer.data);
    const named = files.map(({ id, name, modifiedTime }) => ({
      spreadsheetId: id,
      name,
      modifiedAt: modifiedTime ?? null,
    }));
    return { files: named, nextPageToken };
  }

  async describe(accessToken: string, spreadsheetId: string): Promise<SpreadsheetProperties> {
    const api = await this.sheetsFor(accessToken);
    const fields = 'properties.title,sheets.properties(title,hidden,gridProperties(rowCount,columnCount))';
    const answer = await askingGoogle(() => api.spreadsheets.get({ spreadsheetId, fields }));
    const { properties, sheets } = checked(Properties, answer.data);
    const grids = sheets.flatMap(({ properties: { title, hidden, gridProperties } }) =>
      gridProperties ? [{ title, isHidden: hidden, ...gridProperties }] : [],
    );
    return { spreadsheetId, name: properties.title, sheets: grids };
  }

  /** How many rows of this sheet one page may have: never a whole huge sheet in memory. */
  pageSize({ columnCount }: SheetProperties): number {
    return Math.max(1, Math.min(mostRowsOfPage, Math.floor(mostCellsOfPage / Math.max(1, columnCount))));
  }

  /** Rows from the first to the last, both included; empty ones at the end are left out. */
  async page(
    accessToken: string,
    spreadsheetId: string,
    { title, columnCount, rowCount }: SheetProperties,
    { firstRow, lastRow }: { firstRow: number; lastRow: number },
  ): Promise<SheetPage> {
    if (columnCount < 1 || firstRow > rowCount) return { firstRow, rows: [] };
    const api = await this.sheetsFor(accessToken);
    const lastCell = `${columnName(columnCount)}${Math.min(lastRow, rowCount)}`;
    const range = `'${title.replaceAll("'", "''")}'!A${firstRow}:${lastCell}`;
    const answer = await askingGoogle(() =>
      api.spreadsheets.values.get({
        ...{ spreadsheetId, range, majorDimension: 'ROWS' },
        ...{ valueRenderOption: 'UNFORMATTED_VALUE', dateTimeRenderOption: 'SERIAL_NUMBER' },
      }),
    );
    const { values } = checked(Values, answer.data);
    return { firstRow, rows: values.map((row) => row.map((cell) => (cell === '' ? null : cell))) };
  }

  private async sheetsFor(accessToken: string) {
    const { sheets } = await import('@googleapis/sheets');
    return sheets({ version: 'v4', auth: await this.google.open(accessToken), ...this.google.apiOptions });
  }
}

/** An answer of another shape (cut off, a page of a proxy) is no answer. */
function checked<Shape extends z.ZodType>(schema: Shape, data: unknown): z.infer<Shape> {
  const parsed = schema.safeParse(data);
  if (!parsed.success) throw new GoogleFailure('unavailable');
  return parsed.data;
}

/** Drive's search language: apostrophes and backslashes are escaped. */
function searchTerm(search: string | undefined): string {
  const terms = ["mimeType='application/vnd.google-apps.spreadsheet'", 'trashed=false'];
  if (search) terms.push(`name contains '${search.replace(/['\\]/g, '\\$&')}'`);
  return terms.join(' and ');
}

/** 1 -> A, 27 -> AA. */
function columnName(number: number): string {
  const last = String.fromCharCode(65 + ((number - 1) % 26));
  return number <= 26 ? last : columnName(Math.floor((number - 1) / 26)) + last;
}
