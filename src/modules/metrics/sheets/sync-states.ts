/**
 * The states of a run and of a connection, and from which to which they go. The same tables guard the rows in the
 * database (migration 1795219203500).
 */

export const runStates = ['queued', 'running', 'waiting', 'done', 'failed'] as const;
export type RunState = (typeof runStates)[number];

export const runTransitions: Record<RunState, readonly RunState[]> = {
  queued: ['running', 'failed'],
  // To itself: its worker was killed, and the job runs again.
  running: ['running', 'waiting', 'done', 'failed'],
  // For Google, which asked us to slow down or was away.
  waiting: ['running', 'failed'],
  done: [],
  failed: [],
};

export const connectionStates = ['idle', 'syncing', 'ok', 'failed', 'reauthorize'] as const;
export type ConnectionState = (typeof connectionStates)[number];

export const connectionTransitions: Record<ConnectionState, readonly ConnectionState[]> = {
  idle: ['syncing', 'reauthorize'],
  syncing: ['ok', 'failed', 'reauthorize'],
  ok: ['syncing', 'reauthorize'],
  failed: ['syncing', 'reauthorize'],
  reauthorize: ['idle', 'syncing'],
};

/** Where one may come from to get there: what an UPDATE asks of the row. */
export function statesBefore<State extends string>(
  transitions: Record<State, readonly State[]>,
  target: State,
): State[] {
  const all = Object.entries(transitions) as [State, readonly State[]][];
  return all.filter(([, targets]) => targets.includes(target)).map(([state]) => state);
}
