import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export const drainMs = 10_000;

/**
 * Makes closing graceful: no more connections, and up to ten seconds for what runs before the pool is closed under it.
 *
 * Fastify's hook, since Nest's application is a proxy on which a `close` of our own is lost without a word. Its other
 * hook must be the first: one that answers by itself (a redirect, a preflight) skips those that come after it.
 */
export function drainOnClose(server: FastifyInstance): void {
  const running = runningRequests(server);
  server.addHook('preClose', async () => {
    server.server.close();
    server.server.closeIdleConnections();
    const deadline = Date.now() + drainMs;
    while (running.size > 0 && Date.now() < deadline) await delay(20);
    // Those that are kept alive after their last answer would be waited for as well.
    server.server.closeAllConnections();
  });
}

function runningRequests(server: FastifyInstance): ReadonlySet<FastifyRequest> {
  const running = new Set<FastifyRequest>();
  server.addHook('onRequest', (request, reply, done) => {
    running.add(request);
    // Not `onResponse`, which does not come when the client has hung up.
    reply.raw.once('close', () => running.delete(request));
    done();
  });
  return running;
}
