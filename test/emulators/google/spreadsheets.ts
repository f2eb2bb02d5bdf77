import { entityNotFound, invalidArgument, permissionDenied, type Reply } from './problems.ts';
import { type Area, areaName, readRange } from './ranges.ts';

/** A cell: its value; or what it shows beside what it holds, as a date or a percentage does. */
export type Cell = string | number | boolean | null | { value: string | number; formatted: string; isDate?: boolean };

export interface Sheet {
  title: string;
  rows: Cell[][];
  hidden?: boolean;
  /** The grid is larger than what is filled; 1000 rows and 26 columns unless given. */
  rowCount?: number;
  columnCount?: number;
}

export interface Spreadsheet {
  id: string;
  name: string;
  owner: string;
  sharedWith?: string[];
  modifiedTime?: string;
  sheets: Sheet[];
}

const spreadsheetType = 'application/vnd.google-apps.spreadsheet';

/** What the people have in their Drives. */
export class Spreadsheets {
  readonly all = new Map<string, Spreadsheet>();

  /** GET /drive/v3/files */
  list(email: string, query: URLSearchParams): Reply {
    const visible = [...this.all.values()].filter((each) => isVisible(each, email) && isAskedFor(each, query));
    const start = query.has('pageToken') ? Number(decodeToken(query.get('pageToken') ?? '')) : 0;
    if (!Number.isInteger(start)) return invalidArgument('Invalid Value');
    const size = Math.min(Number(query.get('pageSize') ?? 100), 1000);
    const end = start + size;
    const files = visible.slice(start, end).map(({ id, name, modifiedTime }) => ({
      ...{ kind: 'drive#file', id, name, mimeType: spreadsheetType },
      ...(query.get('fields')?.includes('modifiedTime') && {
        modifiedTime: modifiedTime ?? '2026-01-01T00:00:00.000Z',
      }),
    }));
    const next = end < visible.length && { nextPageToken: encodeToken(String(end)) };
    return { status: 200, body: { kind: 'drive#fileList', incompleteSearch: false, ...next, files } };
  }

  /** GET /v4/spreadsheets/{id} */
  get(email: string, id: string): Reply {
    const found = this.find(email, id);
    if ('status' in found) return found;
    const sheets = found.sheets.map((sheet, index) => ({
      properties: {
        ...{ sheetId: index, title: sheet.title, index, sheetType: 'GRID' },
        ...(sheet.hidden && { hidden: true }),
        gridProperties: gridOf(sheet),
      },
    }));
    const properties = { title: found.name, locale: 'en_US', timeZone: 'Etc/GMT' };
    return { status: 200, body: { spreadsheetId: id, properties, sheets } };
  }

  /** GET /v4/spreadsheets/{id}/values/{range} */
  values(email: string, id: string, range: string, query: URLSearchParams): Reply {
    const found = this.find(email, id);
    if ('status' in found) return found;
    const read = valueRange(found, range, query);
    return 'status' in read ? read : { status: 200, body: read };
  }

  /** GET /v4/spreadsheets/{id}/values:batchGet */
  batch(email: string, id: string, query: URLSearchParams): Reply {
    const found = this.find(email, id);
    if ('status' in found) return found;
    const ranges = query.getAll('ranges').map((range) => valueRange(found, range, query));
    const refusal = ranges.find((each): each is Reply => 'status' in each);
    return refusal ?? { status: 200, body: { spreadsheetId: id, valueRanges: ranges } };
  }

  private find(email: string, id: string): Spreadsheet | Reply {
    const found = this.all.get(id);
    if (!found) return entityNotFound();
    return isVisible(found, email) ? found : permissionDenied();
  }
}

function isVisible({ owner, sharedWith = [] }: Spreadsheet, email: string): boolean {
  return owner === email || sharedWith.includes(email);
}

/** Of Drive's search language the terms that are joined by `and`: the type, not trashed, and part of the name. */
function isAskedFor({ name }: Spreadsheet, query: URLSearchParams): boolean {
  const part = /name contains '((?:[^'\\]|\\.)*)'/.exec(query.get('q') ?? '')?.[1]?.replace(/\\(.)/g, '$1');
  return part === undefined || name.toLowerCase().includes(part.toLowerCase());
}

function gridOf({ rows, rowCount, columnCount }: Sheet) {
  const widest = rows.reduce((most, row) => Math.max(most, row.length), 0);
  return { rowCount: rowCount ?? Math.max(1000, rows.length), columnCount: columnCount ?? Math.max(26, widest) };
}

function valueRange(spreadsheet: Spreadsheet, range: string, query: URLSearchParams): object | Reply {
  const area = readRange(range, spreadsheet.sheets[0]?.title ?? '');
  const sheet = area && spreadsheet.sheets.find(({ title }) => title === area.sheet);
  if (!area || !sheet) return invalidArgument(`Unable to parse range: ${range}`);
  const { rowCount, columnCount } = gridOf(sheet);
  if (area.firstRow >= rowCount || area.firstColumn >= columnCount) {
    const limits = `Max rows: ${rowCount}, max columns: ${columnCount}`;
    return invalidArgument(`Range (${areaName(area)}) exceeds grid limits. ${limits}`);
  }
  const clipped = clip(area, rowCount, columnCount);
  const shown = sheet.rows
    .slice(clipped.firstRow, clipped.lastRow + 1)
    .map((row) => row.slice(clipped.firstColumn, clipped.lastColumn + 1).map((cell) => render(cell, query)));
  const isByColumn = query.get('majorDimension') === 'COLUMNS';
  const values = withoutEmptyEnds(isByColumn ? transposed(shown) : shown);
  return {
    range: areaName(clipped),
    majorDimension: isByColumn ? 'COLUMNS' : 'ROWS',
    ...(values.length > 0 && { values }),
  };
}

const clip = (area: Area, rows: number, columns: number): Area => ({
  ...area,
  lastRow: Math.min(area.lastRow, rows - 1),
  lastColumn: Math.min(area.lastColumn, columns - 1),
});

function render(cell: Cell | undefined, query: URLSearchParams): string | number | boolean {
  if (cell === null || cell === undefined) return '';
  const isFormatted = (query.get('valueRenderOption') ?? 'FORMATTED_VALUE') === 'FORMATTED_VALUE';
  if (typeof cell === 'object') {
    const isShownDate = cell.isDate === true && query.get('dateTimeRenderOption') === 'FORMATTED_STRING';
    return isFormatted || isShownDate ? cell.formatted : cell.value;
  }
  if (!isFormatted) return cell;
  return typeof cell === 'boolean' ? String(cell).toUpperCase() : String(cell);
}

/** 'Empty trailing rows and columns are omitted': each row ends with its last value, the list with the last such row. */
function withoutEmptyEnds<Value>(rows: Value[][]): Value[][] {
  const cut = rows.map((row) => row.slice(0, row.findLastIndex((value) => value !== '') + 1));
  return cut.slice(0, cut.findLastIndex((row) => row.length > 0) + 1);
}

function transposed<Value>(rows: Value[][]): (Value | '')[][] {
  const width = rows.reduce((most, row) => Math.max(most, row.length), 0);
  return Array.from({ length: width }, (_, column) => rows.map((row) => row[column] ?? ''));
}

const encodeToken = (text: string): string => Buffer.from(`page ${text}`).toString('base64url');
const decodeToken = (token: string): string | undefined =>
  /^page (\d+)$/.exec(Buffer.from(token, 'base64url').toString())?.[1];
