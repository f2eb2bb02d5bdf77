import { isTransient } from '../../../kernel/database/failures.js';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { SealBroken } from '../../../kernel/secrets/vault.js';
import { type Conclusion, messageUnknown } from './inbox-queue.js';

/** After each failure, until it is tried again; after the last one it is given up. */
const pausesMs = [1_000, 5_000, 30_000, 120_000];

type Tried = Pick<Conclusion, 'id' | 'lane' | 'attempts'>;

/** Tried again by and by, and given up at last. An admin can let it run again. */
export function failed(event: Tried, error: unknown): Conclusion {
  return { ...again(event, codeOf(error), 'failed'), kind: null };
}

/** Tells of a message that is not there: it may be on its way, and is not missed if it never comes. */
export function early(event: Tried, kind: Conclusion['kind']): Conclusion {
  return { ...again(event, messageUnknown, 'processed'), kind };
}

export function done(
  { id, lane, attempts }: Tried,
  kind: Conclusion['kind'],
  state: 'processed' | 'unresolved' = 'processed',
): Conclusion {
  return { id, lane, kind, attempts, state, errorCode: null, waitMs: 0 };
}

/** Whether the rest of its conversation waits for it. */
export function holdsUp({ state, errorCode }: Conclusion): boolean {
  return state === 'received' && errorCode !== messageUnknown;
}

function again(
  { id, lane, attempts }: Tried,
  errorCode: string,
  atLast: 'failed' | 'processed',
): Omit<Conclusion, 'kind'> {
  const waitMs = pausesMs[attempts];
  const state = waitMs === undefined ? atLast : 'received';
  return { id, lane, state, attempts: attempts + 1, errorCode, waitMs: waitMs ?? 0 };
}

/** Lock not available, read-only transaction, insufficient resources, operator's or system's doing. */
const passing = /^(55P03|25006|53|58)/;

/** A failure that says nothing of the events: the database is away, or somebody holds what is needed. */
export function isOfDatabase(error: unknown): boolean {
  return isTransient(error) || passing.test(stateOf(error) ?? '');
}

/** For an operator, and stable: no words of a driver, which may quote what it was given. */
function codeOf(error: unknown): string {
  if (error instanceof SealBroken) return 'payload-unreadable';
  if (error instanceof DomainError) return error.definition.code;
  const state = stateOf(error);
  return state ? `sqlstate-${state}` : 'unexpected';
}

function stateOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
