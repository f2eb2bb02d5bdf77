import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Caller } from './request-context.js';
import { traceOf } from './request-trace.js';

/** The signed-in user of this request; null on a public route that was called without a token. */
export const CurrentCaller = createParamDecorator((_: unknown, execution: ExecutionContext): Caller | null => {
  return traceOf(execution.switchToHttp().getRequest<FastifyRequest>()).context?.caller ?? null;
});
