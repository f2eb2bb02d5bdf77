import multipart from '@fastify/multipart';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.js';
import { UnsupportedMediaType } from './http.errors.js';
import { mayHaveBody } from './request-bodies.js';

/** How long what is left of a refused body is thrown away before its connection is closed. */
const lingerMs = 5_000;

/** Lets the routes with `uploads` take multipart/form-data. To every other route it stays an unknown type. */
export async function acceptUploads(
  application: NestFastifyApplication,
  server: FastifyInstance,
  config: Config,
): Promise<void> {
  await application.register(multipart, { throwFileSizeLimit: false });
  server.decorate('uploadLimitBytes', config.http.uploadLimitBytes);
  server.addHook('preParsing', (request, reply, _payload, done) => {
    const { uploads } = request.routeOptions.config;
    if (uploads) discardRest(request, reply);
    done(!uploads && mayHaveBody(request) && isForm(request) ? new UnsupportedMediaType() : null);
  });
}

function isForm({ headers }: FastifyRequest): boolean {
  return /^\s*multipart\//i.test(headers['content-type'] ?? '');
}

/**
 * A client reads the refusal of its upload only when it may go on sending for a while: closed at once, the connection is
 * reset, and the answer with it. One that sends for longer is cut off.
 */
function discardRest({ raw }: FastifyRequest, reply: FastifyReply): void {
  reply.raw.once('finish', () => {
    if (raw.complete) return;
    raw.unpipe();
    raw.resume();
    setTimeout(() => raw.complete || raw.socket.destroy(), lingerMs).unref();
  });
}
