export const importStatuses = [
  'receiving',
  'queued',
  'running',
  'done',
  'failed',
  'cancelled',
  'undoing',
  'undone',
] as const;
export type ImportStatus = (typeof importStatuses)[number];

/**
 * What may follow what. The database holds the same table in `app.check_import_transition`, which has the last word.
 *
 * Rows that come in one request begin as running; an import that runs is not cancelled, because it is one transaction
 * that ends by itself; a worker that was killed leaves it running, and the next one takes it up. Undoing is a job too: one
 * that is refused leaves the import done, as it was.
 */
export const importTransitions: Readonly<Record<ImportStatus, readonly ImportStatus[]>> = {
  receiving: ['queued', 'failed'],
  queued: ['running', 'cancelled', 'failed'],
  running: ['done', 'failed'],
  done: ['undoing'],
  failed: [],
  cancelled: [],
  undoing: ['undone', 'done'],
  undone: [],
};

/** No more rows are brought in: what was stored of them can go. */
export const isOver = (status: ImportStatus): boolean => !['receiving', 'queued', 'running'].includes(status);
