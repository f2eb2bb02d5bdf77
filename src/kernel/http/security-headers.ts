import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.js';
import { documentationPath } from './openapi.js';

/** An answer of the API is data: a browser that opens one may load and run nothing. */
const dataPolicy = { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] };

/** Where the demo has its page. */
export const demoPagePath = '/demo';

/** The pages bring their own scripts and images, and that of the documentation styles its parts inline. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join(';');

const pages = [documentationPath, demoPagePath];

/** What a browser app of another origin may send and read. */
const crossOrigin = {
  // So that an app that asks for it (`credentials: 'include'`) keeps the cookie of a consent that it begins. No cookie of
  // ours says who somebody is: there is nothing that another origin's script could do in their name.
  credentials: true,
  // The package itself allows GET, HEAD and POST only.
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  exposedHeaders: [
    'Content-Disposition',
    'Deprecation',
    'ETag',
    'Idempotent-Replayed',
    'Link',
    'Location',
    'RateLimit',
    'RateLimit-Policy',
    'Retry-After',
    'Sunset',
    'WWW-Authenticate',
    'X-Request-Id',
  ],
  /** Seconds for which a browser need not ask again. */
  maxAge: 600,
};

/** Sets the security headers of every answer, and lets the configured origins in. */
export async function protect(
  application: NestFastifyApplication,
  server: FastifyInstance,
  config: Config,
): Promise<void> {
  await application.register(helmet, { contentSecurityPolicy: { useDefaults: false, directives: dataPolicy } });
  server.addHook('onRequest', (request, reply, done) => {
    if (pages.some((path) => request.url.startsWith(path))) reply.header('content-security-policy', pagePolicy);
    done();
  });
  await application.register(cors, { origin: config.http.corsOrigins, ...crossOrigin });
}
