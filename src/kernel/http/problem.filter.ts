import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DomainError } from '../errors/domain-error.js';
import { traceOf } from '../tenancy/request-trace.js';
import { problemDocument, problemType } from './problem-document.js';
import { asDomainError } from './problem-mapping.js';

const logger = new Logger('Problem');

/** Leaves what went wrong on the request for its log line; a fault of ours has a line of its own. */
export function noteProblem(thrown: unknown, request: FastifyRequest): DomainError {
  const error = asDomainError(thrown);
  const { status, code } = error.definition;
  traceOf(request).problemCode = code;
  if (status === 500) logger.error({ requestId: request.id, code, cause: safeCause(thrown) }, 'A fault of the service');
  return error;
}

/** The one place where an error becomes an answer. Nothing of an error but its declared words goes out. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(thrown, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  answer(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const error = noteProblem(thrown, request);
    const { status } = error.definition;
    if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter));
    if (status === 401) reply.header('www-authenticate', challengeFor(request));
    const instance = request.url.split('?')[0] ?? '/';
    reply.status(status).header('content-type', problemType);
    reply.send(problemDocument(error, instance, String(request.id)));
  }
}

/** RFC 6750 section 3: a request that tried no token is told of no error. */
function challengeFor(request: FastifyRequest): string {
  const challenge = 'Bearer realm="polyclinic"';
  return request.headers.authorization === undefined ? challenge : `${challenge}, error="invalid_token"`;
}

/** Name, SQLSTATE and stack, never the message: a driver's message can quote values. */
function safeCause(thrown: unknown): object {
  if (!(thrown instanceof Error)) return { type: typeof thrown };
  const frames = thrown.stack
    ?.split('\n')
    .filter((line) => line.trimStart().startsWith('at '))
    .slice(0, 12);
  const sqlState = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
  return { name: thrown.name, sqlState, stack: frames };
}
