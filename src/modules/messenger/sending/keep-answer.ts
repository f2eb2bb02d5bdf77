import { isTransient } from '../../../kernel/database/failures.js';
import { persistently } from '../../../kernel/database/persistently.js';
import { TookTooLong } from '../../../kernel/http/http.errors.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';

/** Together shorter than what is left of the lease once Meta has answered. */
const pausesMs = [100, 500, 2_000];

/** Writes down what Meta has told nobody else; a row that somebody holds is waited for, too. */
export const keepAnswer = (write: () => Promise<void>): Promise<void> =>
  persistently(pausesMs, write, (error) => isTransient(error) || isTimeout(error));

/** Of a statement, or of waiting for a row. */
const isTimeout = (error: unknown): boolean => asDomainError(error).definition.code === TookTooLong.definition.code;
