import { HttpException } from '@nestjs/common';
import { DatabaseError } from 'pg';
import { camelName } from '../database/column-names.js';
import { isConnectionFailure } from '../database/failures.js';
import { DomainError, type FieldError, type ProblemClass, problems } from '../errors/domain-error.js';
import {
  AlreadyExists,
  DatabaseUnavailable,
  Forbidden,
  InternalError,
  InvalidRequest,
  NotFound,
  PayloadTooLarge,
  RuleViolated,
  StillReferenced,
  TookTooLong,
  TooManyRequests,
  Unauthenticated,
  UnknownReference,
  UnsupportedMediaType,
} from './http.errors.js';

/** Every error as a problem of the domain; what is not known becomes `internal-error`. */
export function asDomainError(thrown: unknown): DomainError {
  if (thrown instanceof DomainError) return thrown;
  if (thrown instanceof DatabaseError) return fromDatabase(thrown);
  // Before the question about connections: a client that hangs up in the middle of its body is not the database.
  const known = byStatus(statusOf(thrown));
  if (known) return new known();
  if (isConnectionFailure(thrown)) return new DatabaseUnavailable(undefined, { retryAfter: 1, cause: thrown });
  return new InternalError(undefined, { cause: thrown });
}

/**
 * The refusal of one item of a batch, which leaves the others alone. A fault of ours, or a database that is away, is none:
 * it is thrown on, and ends the batch.
 */
export function asRefusal(thrown: unknown): DomainError {
  const error = asDomainError(thrown);
  if (error.definition.status >= 500) throw thrown;
  return error;
}

/** A refusal that has no kind of its own is still the fault of the request. */
function byStatus(status: number | undefined): ProblemClass | undefined {
  if (status === undefined) return undefined;
  return problemsByStatus.get(status) ?? (status >= 400 && status < 500 ? InvalidRequest : undefined);
}

const problemsByStatus: ReadonlyMap<number, ProblemClass> = new Map([
  [400, InvalidRequest],
  [401, Unauthenticated],
  [403, Forbidden],
  [404, NotFound],
  [413, PayloadTooLarge],
  [415, UnsupportedMediaType],
  [429, TooManyRequests],
]);

/** Nest's own exceptions and Fastify's errors of parsing carry a status; ours never do. */
function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof HttpException) return thrown.getStatus();
  if (thrown instanceof Error && 'statusCode' in thrown && typeof thrown.statusCode === 'number')
    return thrown.statusCode;
  return undefined;
}

function fromDatabase(error: DatabaseError): DomainError {
  const state = error.code ?? '';
  if (state.startsWith('PC')) return fromRaised(error);
  if (state === '23503' && /still referenced/.test(error.detail ?? ''))
    return new StillReferenced(undefined, { cause: error });
  if (isConnectionFailure(error)) return new DatabaseUnavailable(undefined, { retryAfter: 1, cause: error });
  if (tookTooLong.has(state)) return new TookTooLong(undefined, { retryAfter: 2, cause: error });
  if (state === '40001' || state === '40P01')
    return new DatabaseUnavailable(undefined, { retryAfter: 1, cause: error });
  const kind = constraintProblems.get(state);
  if (!kind) return new InternalError(undefined, { cause: error });
  return new kind(undefined, { errors: fieldErrors(error, kind.definition.code), cause: error });
}

/** A refusal of our own SQL: its message is the code of a problem, its detail may say more for humans. */
function fromRaised(error: DatabaseError): DomainError {
  const kind = problems.get(error.message);
  if (!kind) return new InternalError(undefined, { cause: error });
  return new kind(error.detail, { cause: error });
}

/** Statement timeout, lock timeout, idle in transaction. */
const tookTooLong: ReadonlySet<string> = new Set(['57014', '55P03', '25P03']);

/** SQLSTATE -> problem: unique, foreign key (both ways), check, not null, exclusion, privilege, malformed values. */
const constraintProblems: ReadonlyMap<string, ProblemClass> = new Map([
  ['23505', AlreadyExists],
  ['23P01', AlreadyExists],
  ['23503', UnknownReference],
  ['23001', StillReferenced],
  ['23514', RuleViolated],
  ['23502', RuleViolated],
  ['22001', RuleViolated],
  ['22003', RuleViolated],
  ['22007', RuleViolated],
  ['22008', RuleViolated],
  // A NUL, alone or as \u0000 in JSON, which no text of PostgreSQL can hold.
  ['22021', RuleViolated],
  ['22P05', RuleViolated],
  ['22P02', RuleViolated],
  ['42501', Forbidden],
]);

/** Names the fields, from what the server says of the constraint; never their values. */
function fieldErrors(error: DatabaseError, code: string): FieldError[] | undefined {
  const columns = error.column ? [error.column] : columnsOf(error);
  if (columns.length === 0) return undefined;
  return columns.map((column) => ({ path: camelName(column), code, message: messages[code] ?? 'Refused.' }));
}

/** `Key (organisation_id, slug)=(...) already exists.`, or the name `<table>_<column>_<kind>` that ours have. */
function columnsOf({ detail, constraint, table }: DatabaseError): string[] {
  const listed = detail?.match(/^Key \(([\w, ]+)\)=/)?.[1]?.split(', ');
  if (listed) {
    const own = listed.filter((column) => !tenantColumns.has(column));
    return own.length > 0 ? own : listed;
  }
  // The server gives no detail to a role that may not read the columns.
  const prefix = [table, parentOf(table)].map((name) => `${name}_`).find((name) => constraint?.startsWith(name));
  const named = prefix && constraint?.slice(prefix.length);
  return named ? [named.replace(/_(check|key|fkey|excl)$/, '').replace(/^(clinic|organisation|owner)_id_/, '')] : [];
}

/** The server names the partition that refused; a constraint that it has from its parent is named after the parent. */
function parentOf(table: string | undefined): string | undefined {
  return table?.replace(/(_\d{2,4}){1,2}$|_default$/, '');
}

const tenantColumns = new Set(['clinic_id', 'organisation_id']);

const messages: Record<string, string> = {
  'already-exists': 'This value is taken.',
  'unknown-reference': 'There is nothing of this id here.',
  'rule-violated': 'The value is against a rule.',
  'still-referenced': 'Other things refer to it.',
};
