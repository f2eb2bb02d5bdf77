import { types } from 'node:util';
import { DatabaseError } from 'pg';

/** Serialisation failure, deadlock, administrator's shutdown, crash shutdown, cannot connect now. */
const transientStates = new Set(['40001', '40P01', '57P01', '57P02', '57P03']);

/** `in_failed_sql_transaction`: the echo of an earlier failure in the same flight, never the cause. */
const abortedState = '25P02';

const connectionCodes = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'ENOENT', 'ENOTFOUND']);
const connectionMessages = /connection (terminated|ended|error)|timeout exceeded when trying to connect|not queryable/i;

/** The database went away, or could not be reached. */
export function isConnectionFailure(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  if (error instanceof DatabaseError) return error.code?.startsWith('08') === true || isShutdown(error);
  if ('code' in error && typeof error.code === 'string' && connectionCodes.has(error.code)) return true;
  return connectionMessages.test(error.message);
}

/** The same work, done again from the start, may well succeed. */
export function isTransient(error: unknown): boolean {
  if (error instanceof DatabaseError && error.code !== undefined && transientStates.has(error.code)) return true;
  return isConnectionFailure(error);
}

/** Of the statements sent in one flight, the failure that caused the others. */
export function firstCause(outcomes: readonly PromiseSettledResult<unknown>[]): unknown {
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  return (
    failures.find((failure) => !(failure instanceof DatabaseError && failure.code === abortedState)) ?? failures[0]
  );
}

function isShutdown(error: DatabaseError): boolean {
  return error.code === '57P01' || error.code === '57P02' || error.code === '57P03' || error.code === '53300';
}
