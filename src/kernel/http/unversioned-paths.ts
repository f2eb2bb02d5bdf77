import type { FastifyInstance } from 'fastify';

/** What stays under `/api` itself: the versions, and the pages about them. */
const unversioned = /^\/api\/(?!(?:v1|docs|errors|openapi\.json)(?:[/?]|$))(.*)$/;

/** RFC 9745: deprecated from the first day on. RFC 8594: how long it will be answered at least. */
const deprecation = '@1795219200';
const sunset = 'Sun, 21 Nov 2027 00:00:00 GMT';

/** Whoever knows only `/api/...` is sent on to the present version, method and body kept. */
export function redirectUnversioned(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    const rest = request.url.match(unversioned)?.[1];
    if (rest === undefined) return done();
    const successor = `/api/v1/${rest}`;
    reply
      .header('deprecation', deprecation)
      .header('sunset', sunset)
      .header('link', `<${successor}>; rel="successor-version"`)
      .redirect(successor, 308);
  });
}
