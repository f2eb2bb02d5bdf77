import { setTimeout as wait } from 'node:timers/promises';
import { isTransient } from './failures.js';

/**
 * Writes down what is known here alone, a provider's answer say: a database that is away for a moment must not make it
 * unknown. The work is a transaction of its own, which a failure leaves undone.
 *
 * @param pausesMs before each further attempt; together shorter than the caller holds what it writes about
 * @throws the last failure, and at once one that another attempt would not mend
 */
export async function persistently<T>(
  pausesMs: readonly number[],
  write: () => Promise<T>,
  isPassing: (error: unknown) => boolean = isTransient,
): Promise<T> {
  for (const pauseMs of pausesMs) {
    try {
      return await write();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await wait(pauseMs);
    }
  }
  return write();
}
