import { DatabaseError } from 'pg';
import { DomainError } from '../errors/domain-error.js';

/**
 * Why a job failed, in words that may rest in the queue and in logs: classes and codes, never a message of a driver or
 * a provider, which may quote what it was given.
 */
export class JobFailure extends Error {
  constructor(cause: unknown) {
    super(describe(cause));
    this.stack = undefined;
  }
}

/** The process stopped and could wait no longer. */
export class JobInterrupted extends Error {
  override readonly name = 'JobInterrupted';
}

function describe(cause: unknown): string {
  if (cause instanceof DomainError) return cause.definition.code;
  if (cause instanceof DatabaseError)
    return `SQLSTATE ${cause.code}${cause.constraint ? ` (${cause.constraint})` : ''}`;
  if (!(cause instanceof Error)) return typeof cause;
  const code = 'code' in cause && typeof cause.code === 'string' ? ` ${cause.code}` : '';
  return `${cause.name}${code}`;
}
