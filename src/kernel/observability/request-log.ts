import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { childTraceParent } from '../http/request-ids.js';
import { traceOf } from '../tenancy/request-trace.js';
import type { Metrics } from './metrics.js';

/**
 * One log line and one observation per request. What is logged is listed here, field by field: no body, no query, no
 * header but the length of the body, so nothing of a patient or a token can get in by accident.
 */
export function observeRequests(server: FastifyInstance, logger: Logger, metrics: Metrics): void {
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', String(request.id));
    const traceparent = childTraceParent(request.raw);
    if (traceparent) reply.header('traceparent', traceparent);
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const line = lineOf(request, reply);
    metrics.requestAnswered({
      method: request.method,
      route: line.route,
      status: reply.statusCode,
      durationSeconds: reply.elapsedTime / 1000,
      problemCode: line.code,
    });
    logger[reply.statusCode >= 500 ? 'error' : 'info'](line, 'request');
    done();
  });
}

function lineOf(request: FastifyRequest, reply: FastifyReply) {
  const { context, cost, problemCode, retried } = traceOf(request);
  return {
    requestId: String(request.id),
    traceparent: reply.getHeader('traceparent'),
    method: request.method,
    route: request.routeOptions.url ?? 'unmatched',
    status: reply.statusCode,
    durationMs: Math.round(reply.elapsedTime * 100) / 100,
    userId: context?.caller?.userId,
    role: context?.role,
    clinicId: context?.scope.kind === 'clinic' ? context.scope.id : undefined,
    organisationId: context?.scope.kind === 'organisation' ? context.scope.id : undefined,
    statements: cost?.statements,
    flights: cost?.flights,
    retried,
    code: problemCode,
    contentLength: request.headers['content-length'],
  };
}
