import type { FastifyRequest } from 'fastify';
import type { RequestContext } from './request-context.js';
import type { TransactionCost } from './tenant-transaction.js';

/** What the guard and the interceptor leave on a request for its answer, its log line and its metrics. */
export interface RequestTrace {
  context?: RequestContext;
  cost?: TransactionCost;
  problemCode?: string;
  retried?: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    trace?: RequestTrace;
  }
}

/** The trace of a request, made on first use. */
export function traceOf(request: FastifyRequest): RequestTrace {
  request.trace ??= {};
  return request.trace;
}
