/** Ranges in A1 notation: https://developers.google.com/sheets/api/guides/concepts#cell */

export interface Area {
  sheet: string;
  /** All from 0, both ends included. */
  firstRow: number;
  firstColumn: number;
  lastRow: number;
  lastColumn: number;
}

const endless = 9_999_999;

/** `'My sheet'!A2:C`, `Sheet1!1:1`, `Sheet1`, `A1:B2` of the first sheet; undefined for what is none. */
export function readRange(text: string, firstSheet: string): Area | undefined {
  const [, quoted, plain, cells] = /^(?:'((?:[^']|'')+)'|([^'!]+))(?:!(.+))?$/.exec(text) ?? [];
  if (quoted === undefined && plain === undefined) return undefined;
  const named = quoted?.replaceAll("''", "'") ?? plain ?? '';
  if (cells !== undefined) return area(named, cells);
  return (quoted === undefined && area(firstSheet, named)) || area(named, 'A1:ZZZ');
}

function area(sheet: string, cells: string): Area | undefined {
  const match = /^([A-Z]{1,3})?(\d+)?(?::([A-Z]{1,3})?(\d+)?)?$/.exec(cells);
  if (!match || cells === '' || (!match[1] && !match[2])) return undefined;
  const isSingle = !cells.includes(':');
  if (isSingle && !(match[1] && match[2])) return undefined;
  const firstColumn = match[1] ? columnNumber(match[1]) : 0;
  const firstRow = match[2] ? Number(match[2]) - 1 : 0;
  return {
    ...{ sheet, firstRow, firstColumn },
    lastRow: isSingle ? firstRow : match[4] ? Number(match[4]) - 1 : endless,
    lastColumn: isSingle ? firstColumn : match[3] ? columnNumber(match[3]) : endless,
  };
}

/** As the answers name it: quoted where the title is more than a word. */
export function areaName({ sheet, firstRow, firstColumn, lastRow, lastColumn }: Area): string {
  const title = /^[A-Za-z_]\w*$/.test(sheet) ? sheet : `'${sheet.replaceAll("'", "''")}'`;
  return `${title}!${columnName(firstColumn)}${firstRow + 1}:${columnName(lastColumn)}${lastRow + 1}`;
}

const columnNumber = (letters: string): number =>
  [...letters].reduce((number, letter) => number * 26 + letter.charCodeAt(0) - 64, 0) - 1;

function columnName(column: number): string {
  const rest = String.fromCharCode(65 + (column % 26));
  return column < 26 ? rest : columnName(Math.floor(column / 26) - 1) + rest;
}
