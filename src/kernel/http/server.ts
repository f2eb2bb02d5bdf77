import cookies from '@fastify/cookie';
import { type DynamicModule, RequestMethod, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { FastifyAdapter, NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.js';
import { LOGGER } from '../observability/logger.js';
import { Metrics } from '../observability/metrics.js';
import { NestLogger } from '../observability/nest-logger.js';
import { observeRequests } from '../observability/request-log.js';
import { AnsweringAdapter } from './answering.adapter.js';
import { drainMs, drainOnClose } from './draining.js';
import { acceptForms } from './forms.js';
import { acceptUploads } from './multipart.js';
import { serveDocumentation } from './openapi.js';
import { ProblemFilter } from './problem.filter.js';
import { isRaw, limitRawBodies } from './raw-body.js';
import { requestIdOf } from './request-ids.js';
import { protect } from './security-headers.js';
import { unreadableRequests } from './unreadable-requests.js';
import { redirectUnversioned } from './unversioned-paths.js';
import { ValidationPipe } from './validation.pipe.js';

/** Paths that belong to the installation and not to a version of the API. */
const unversioned = ['health/live', 'health/ready', 'metrics', '.well-known/jwks.json'];

/** For head and body together; Node gives the head alone half of it. */
const requestTimeoutMs = 120_000;

/** The API as an application that is not listening yet. */
export async function createHttpApplication(
  module: Type | DynamicModule,
  config: Config,
): Promise<NestFastifyApplication> {
  const filter = new ProblemFilter();
  const application = await NestFactory.create<NestFastifyApplication>(module, createAdapter(config, filter), {
    bufferLogs: true,
    // Of a start that fails, the sentence is enough.
    autoFlushLogs: false,
    abortOnError: false,
    bodyParser: false,
  });
  const logger = application.get(LOGGER);
  application.useLogger(new NestLogger(logger));
  application.flushLogs();
  const server = application.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  drainOnClose(server);
  observeRequests(server, logger, application.get(Metrics));
  await protect(application, server, config);
  application.useGlobalFilters(filter);
  application.useGlobalPipes(new ValidationPipe());
  application.setGlobalPrefix('api/v1', {
    exclude: unversioned.map((path) => ({ path, method: RequestMethod.ALL })),
  });
  parseJson(application, server);
  limitRawBodies(server);
  acceptForms(application, server);
  await application.register(cookies);
  await acceptUploads(application, server, config);
  redirectUnversioned(server);
  serveDocumentation(application);
  return application;
}

function createAdapter(config: Config, filter: ProblemFilter): FastifyAdapter {
  return new AnsweringAdapter({
    ...unreadableRequests(filter),
    trustProxy: trustOf(config.http.trustProxy),
    bodyLimit: config.http.bodyLimitBytes,
    // Fastify's own is none: a body that never ends would hold its connection for ever.
    requestTimeout: requestTimeoutMs,
    genReqId: requestIdOf,
    // The request id is ours to take over, with its own check.
    requestIdHeader: false,
    // Keep-alive connections that are idle must not hold up a stop.
    forceCloseConnections: 'idle',
    // Of hooks as well: it must not cut off the draining.
    pluginTimeout: 2 * drainMs,
    // A request on a connection that was there before the stop is still answered.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200 },
  });
}

/** A number of proxies becomes a question per hop, which is the form that the adapter's types know. */
function trustOf(trusted: string | number | false): string | false | ((address: string, hop: number) => boolean) {
  return typeof trusted === 'number' ? (_address, hop) => hop < trusted : trusted;
}

/** Clients send `Content-Type: application/json` without a body, on DELETE and on POST alike: that is no bad JSON. */
function parseJson(application: NestFastifyApplication, server: FastifyInstance): void {
  // Fastify also takes text by itself, which no route understands.
  server.removeContentTypeParser('text/plain');
  // A `__proto__` or `constructor.prototype` is refused here, at any depth.
  const parse = server.getDefaultJsonParser('error', 'error');
  application.useBodyParser('application/json', {}, (request, body, done) => {
    if (isRaw(request as FastifyRequest)) done(null, body);
    else if (body.length === 0) done(null, undefined);
    else parse(request as FastifyRequest, body.toString('utf8'), done);
  });
}
