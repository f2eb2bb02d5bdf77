import { setTimeout as wait } from 'node:timers/promises';
import { isTransient } from '../../../kernel/database/failures.js';
import { TookTooLong } from '../../../kernel/http/http.errors.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';

/** Together shorter than what is left of the lease once Meta has answered. */
const pausesMs = [100, 500, 2_000];

/**
 * Writes down what is known here alone, since Meta has told nobody else: a database that is away for a moment, or a row
 * that somebody holds, must not make it unknown.
 */
export async function persistently(write: () => Promise<void>, failures = 0): Promise<void> {
  try {
    await write();
  } catch (error) {
    const pauseMs = pausesMs[failures];
    if (pauseMs === undefined || !(isTransient(error) || isTimeout(error))) throw error;
    await wait(pauseMs);
    await persistently(write, failures + 1);
  }
}

/** Of a statement, or of waiting for a row. */
const isTimeout = (error: unknown): boolean => asDomainError(error).definition.code === TookTooLong.definition.code;
