import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { childTraceParent } from '../http/request-ids.js';
import { traceOf } from '../tenancy/request-trace.js';
import type { Metrics } from './metrics.js';

/** No status at all was answered: the client had left. The number that nginx gives it. */
const hungUp = 499;

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
  server.addHook('onRequest', (request, reply, done) => {
    // Once for each: `close` comes last, also of an answer that was cut off, of which Fastify tells nothing.
    reply.raw.once('close', () => observe(request, reply));
    done();
  });

  function observe(request: FastifyRequest, reply: FastifyReply): void {
    const line = lineOf(request, reply);
    metrics.requestAnswered({
      method: request.method,
      route: line.route,
      status: line.status,
      durationSeconds: reply.elapsedTime / 1000,
      problemCode: line.code,
    });
    logger[line.status >= 500 ? 'error' : 'info'](line, 'request');
  }
}

function lineOf(request: FastifyRequest, reply: FastifyReply) {
  const { context, cost, problemCode, retried } = traceOf(request);
  return {
    requestId: String(request.id),
    traceparent: reply.getHeader('traceparent'),
    method: request.method,
    route: request.routeOptions.url ?? 'unmatched',
    status: reply.raw.headersSent ? reply.statusCode : hungUp,
    interrupted: reply.raw.writableFinished ? undefined : true,
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
