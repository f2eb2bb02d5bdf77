import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import staticFiles from '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { demoPagePath } from '../kernel/http/security-headers.js';

const folder = fileURLToPath(new URL('../../../src/demo/page', import.meta.url));

/** The page on which a newcomer clicks through log-in, connecting and posting. Served with the demo alone. */
export async function serveDemoPage(application: NestFastifyApplication, metaUrl: string): Promise<void> {
  await application.register(staticFiles, { root: folder, prefix: `${demoPagePath}/`, decorateReply: false });
  const server = application.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const page = await readFile(join(folder, 'index.html'));
  server.get(demoPagePath, (_request, reply) => reply.type('text/html; charset=utf-8').send(page));
  server.get(`${demoPagePath}/picture`, (_request, reply) => reply.send({ url: `${metaUrl}/media/clinic.jpg` }));
}
