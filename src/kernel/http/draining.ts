import { setTimeout as delay } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const drainMs = 10_000;

/**
 * Makes closing graceful: no more connections, and up to ten seconds for what runs before the pool is closed under it.
 *
 * Its hook must be the first: one that answers by itself (a redirect, a preflight) skips those that come after it.
 */
export function drainOnClose(application: NestFastifyApplication, server: FastifyInstance): void {
  const running = runningRequests(server);
  const close = application.close.bind(application);
  application.close = async (): Promise<void> => {
    server.server.close();
    server.server.closeIdleConnections();
    const deadline = Date.now() + drainMs;
    while (running.size > 0 && Date.now() < deadline) await delay(20);
    server.server.closeAllConnections();
    await close();
  };
}

function runningRequests(server: FastifyInstance): ReadonlySet<FastifyRequest> {
  const running = new Set<FastifyRequest>();
  server.addHook('onRequest', (request, _reply, done) => {
    running.add(request);
    done();
  });
  server.addHook('onResponse', (request, _reply, done) => {
    running.delete(request);
    done();
  });
  return running;
}
