import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export interface RawBodyOptions {
  /** In place of the installation's `BODY_LIMIT_BYTES`: what may come is said by whoever sends it. */
  maxBytes: number;
}

/** The body of a route with `rawBody`, byte for byte as it came; empty where there is none. */
export const RawBody = createParamDecorator((_: unknown, execution: ExecutionContext): Buffer => {
  const { body } = execution.switchToHttp().getRequest<FastifyRequest>();
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
});

/** Whether the body is left as it came, for the handler to check before it is understood. */
export function isRaw(request: FastifyRequest): boolean {
  return request.routeOptions.config.rawBody !== undefined;
}

/** Gives the routes with `rawBody` their own limit. */
export function limitRawBodies(server: FastifyInstance): void {
  server.addHook('onRoute', (route) => {
    const { rawBody } = route.config ?? {};
    if (rawBody) route.bodyLimit = rawBody.maxBytes;
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    rawBody?: RawBodyOptions;
  }
}
