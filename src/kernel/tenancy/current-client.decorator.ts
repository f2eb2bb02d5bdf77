import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** What tells one client from another: the program that it says it is, and the address that it calls from. */
export interface Client {
  userAgent: string | null;
  address: string;
}

export const CurrentClient = createParamDecorator((_: unknown, execution: ExecutionContext): Client => {
  const request = execution.switchToHttp().getRequest<FastifyRequest>();
  return { userAgent: request.headers['user-agent']?.slice(0, 300) ?? null, address: request.ip };
});
