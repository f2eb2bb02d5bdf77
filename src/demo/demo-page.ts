import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import staticFiles from '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { demoPagePath } from '../kernel/http/security-headers.js';
import { askEmulator } from './demo-meta.js';

const folder = fileURLToPath(new URL('../../../src/demo/page', import.meta.url));

/** The page on which a newcomer clicks through log-in, connecting, posting and messages. Served with the demo alone. */
export async function serveDemoPage(application: NestFastifyApplication, metaUrl: string): Promise<void> {
  await application.register(staticFiles, { root: folder, prefix: `${demoPagePath}/`, decorateReply: false });
  const server = application.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const page = await readFile(join(folder, 'index.html'));
  server.get(demoPagePath, (_request, reply) => reply.type('text/html; charset=utf-8').send(page));
  server.get(`${demoPagePath}/picture`, (_request, reply) => reply.send({ url: `${metaUrl}/media/clinic.jpg` }));
  server.post(`${demoPagePath}/patient`, async (request, reply) => {
    const heard = await patient(metaUrl, request.body);
    return reply.status(heard ? 200 : 422).send({ heard });
  });
}

/** What somebody does at Meta, of whom nobody here knows yet: writes to a page or an account by its name, or reads. */
const Patient = z.object({
  place: z.string().min(1).max(200),
  from: z.string().trim().min(1).max(100),
  kind: z.enum(['message', 'read']),
  text: z.string().max(2_000).default(''),
});

/** @returns whether there is such a place */
async function patient(metaUrl: string, given: unknown): Promise<boolean> {
  const asked = Patient.safeParse(given);
  if (!asked.success) return false;
  const places = await askEmulator<{ id: string; name: string }[]>(metaUrl, 'places');
  const place = places.find(({ name }) => name === asked.data.place);
  if (!place) return false;
  const { from, kind, text } = asked.data;
  await askEmulator(metaUrl, 'write', { pageId: place.id, from, kind, text });
  return true;
}
