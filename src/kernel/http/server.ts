import { setTimeout as delay } from 'node:timers/promises';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import { type DynamicModule, RequestMethod, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.js';
import { LOGGER } from '../observability/logger.js';
import { Metrics } from '../observability/metrics.js';
import { NestLogger } from '../observability/nest-logger.js';
import { observeRequests } from '../observability/request-log.js';
import { serveDocumentation } from './openapi.js';
import { ProblemFilter } from './problem.filter.js';
import { requestIdOf } from './request-ids.js';
import { validationPipe } from './validation.pipe.js';

/** Paths that belong to the installation and not to a version of the API. */
const unversioned = ['health/live', 'health/ready', 'metrics', '.well-known/jwks.json'];

const drainMs = 10_000;

/** The API as an application that is not listening yet. */
export async function createHttpApplication(
  module: Type | DynamicModule,
  config: Config,
): Promise<NestFastifyApplication> {
  const application = await NestFactory.create<NestFastifyApplication>(module, createAdapter(config), {
    bufferLogs: true,
    abortOnError: false,
    bodyParser: false,
  });
  const logger = application.get(LOGGER);
  application.useLogger(new NestLogger(logger));
  const server = application.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  observeRequests(server, logger, application.get(Metrics));
  await protect(application, config);
  application.useGlobalFilters(new ProblemFilter());
  application.useGlobalPipes(validationPipe);
  application.setGlobalPrefix('api/v1', {
    exclude: unversioned.map((path) => ({ path, method: RequestMethod.ALL })),
  });
  parseJson(application, server);
  redirectUnversioned(server);
  serveDocumentation(application);
  drainOnShutdown(application, server);
  return application;
}

function createAdapter(config: Config): FastifyAdapter {
  return new FastifyAdapter({
    trustProxy: trustOf(config.http.trustProxy),
    bodyLimit: config.http.bodyLimitBytes,
    genReqId: requestIdOf,
    // The request id is ours to take over, with its own check.
    requestIdHeader: false,
    // Keep-alive connections that are idle must not hold up a stop.
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
  });
}

/** A number of proxies becomes a question per hop, which is the form that the adapter's types know. */
function trustOf(trusted: string | number | false): string | false | ((address: string, hop: number) => boolean) {
  return typeof trusted === 'number' ? (_address, hop) => hop < trusted : trusted;
}

async function protect(application: NestFastifyApplication, config: Config): Promise<void> {
  await application.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        // The documentation page carries its set-up in a script of its own.
        scriptSrc: ["'self'", "'unsafe-inline'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        upgradeInsecureRequests: null,
      },
    },
  });
  await application.register(cors, {
    origin: config.http.corsOrigins,
    exposedHeaders: [
      'ETag',
      'Location',
      'X-Request-Id',
      'RateLimit',
      'RateLimit-Policy',
      'Retry-After',
      'Idempotent-Replayed',
    ],
  });
}

/** Clients send `Content-Type: application/json` without a body, on DELETE and on POST alike: that is no bad JSON. */
function parseJson(application: NestFastifyApplication, server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  application.useBodyParser('application/json', {}, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else parse(request as FastifyRequest, body.toString('utf8'), done);
  });
}

/** Whoever knows only `/api/...` is sent on to the present version, method and body kept. */
function redirectUnversioned(server: FastifyInstance): void {
  server.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    const rest = request.url.match(/^\/api\/(?!v1(\/|$)|docs|errors|openapi\.json)(.*)$/)?.[2];
    if (rest === undefined) return done();
    const successor = `/api/v1/${rest}`;
    reply
      .header('deprecation', '@1795219200')
      .header('link', `<${successor}>; rel="successor-version"`)
      .redirect(successor, 308);
  });
}

/** Stops taking connections and gives what runs up to ten seconds before the pool is closed under it. */
function drainOnShutdown(application: NestFastifyApplication, server: FastifyInstance): void {
  let running = 0;
  server.addHook('onRequest', (_request, _reply, done) => {
    running += 1;
    done();
  });
  server.addHook('onResponse', (_request, _reply, done) => {
    running -= 1;
    done();
  });
  const close = application.close.bind(application);
  application.close = async (): Promise<void> => {
    server.server.close();
    server.server.closeIdleConnections();
    const deadline = Date.now() + drainMs;
    while (running > 0 && Date.now() < deadline) await delay(20);
    server.server.closeAllConnections();
    await close();
  };
}
