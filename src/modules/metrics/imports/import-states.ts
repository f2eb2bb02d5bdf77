export const importStatuses = ['receiving', 'queued', 'running', 'done', 'failed', 'cancelled', 'undone'] as const;
export type ImportStatus = (typeof importStatuses)[number];

/**
 * What may follow what. The database holds the same table in `app.check_import_transition`, which has the last word.
 *
 * Rows that come in one request begin as running; an import that runs is not cancelled, because it is one transaction
 * that ends by itself; a worker that was killed leaves it running, and the next one takes it up.
 */
export const importTransitions: Readonly<Record<ImportStatus, readonly ImportStatus[]>> = {
  receiving: ['queued', 'failed'],
  queued: ['running', 'cancelled', 'failed'],
  running: ['done', 'failed'],
  done: ['undone'],
  failed: [],
  cancelled: [],
  undone: [],
};

/** Nothing follows by itself: what was stored for it can go. */
export const isOver = (status: ImportStatus): boolean => !['receiving', 'queued', 'running'].includes(status);
