import type { FastifyRequest } from 'fastify';

const withoutBody: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Whether a route may read a body of it. What a client says of a body that nobody reads is no reason to refuse it. */
export function mayHaveBody({ is404, method }: FastifyRequest): boolean {
  return !is404 && !withoutBody.has(method);
}
