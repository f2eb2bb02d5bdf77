import type { DomainError } from '../errors/domain-error.js';
import type { Problem } from './problem.schema.js';

export const problemType = 'application/problem+json; charset=utf-8';

/** An error as the document that is answered (RFC 9457). Nothing of it but its declared words goes out. */
export function problemDocument(error: DomainError, instance: string, requestId: string): Problem {
  const { code, status, title } = error.definition;
  return {
    type: `/api/errors#${code}`,
    title,
    status,
    detail: error.message,
    instance,
    code,
    requestId,
    ...(error.errors && { errors: error.errors }),
  };
}
