/** A cell as its source has it. A number was typed by a spreadsheet or by JSON: it has no separators to be read. */
export type Cell = string | number | boolean | null;

/** A row of a file or a sheet, its cells in the order of the header's columns; it may be shorter. */
export interface SourceRow {
  /** As a person finds it: from 1, the header counted. */
  line: number;
  cells: readonly Cell[];
}

/** Why a row was refused; never with the value, which may be a patient's. */
export interface RowError {
  line: number;
  /** The column of the file, null where the row as a whole is at fault. */
  column: string | null;
  field: string | null;
  code: string;
  message: string;
}

/** Rows under a header, a page at a time. */
export interface RowSource {
  columns: readonly string[];
  pages: AsyncIterable<SourceRow[]>;
  /** The day that serial dates count from is 1 January 1904, as in workbooks that old Macintoshes made. */
  countsFrom1904?: boolean;
}
