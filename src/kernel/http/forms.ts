import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { InvalidRequest, UnsupportedMediaType } from './http.errors.js';
import { mayHaveBody } from './request-bodies.js';

const formType = 'application/x-www-form-urlencoded';

/** Lets the routes with `forms` take what a plain form of a web page sends. To every other route it stays an unknown type. */
export function acceptForms(application: NestFastifyApplication, server: FastifyInstance): void {
  application.useBodyParser(formType, {}, (_request, body, done) => {
    try {
      done(null, fieldsOf(body.toString('utf8')));
    } catch (refusal) {
      done(refusal as Error);
    }
  });
  server.addHook('preParsing', (request, _reply, _payload, done) => {
    done(isTaken(request) ? null : new UnsupportedMediaType());
  });
}

function isTaken(request: FastifyRequest): boolean {
  const isForm = request.headers['content-type']?.trimStart().toLowerCase().startsWith(formType) === true;
  return !mayHaveBody(request) || isForm === (request.routeOptions.config.forms === true);
}

/** Each field once: of two of one name nobody knows which is meant. */
function fieldsOf(text: string): Record<string, string> {
  const fields = [...new URLSearchParams(text)];
  const names = new Set(fields.map(([name]) => name));
  if (names.size < fields.length) throw new InvalidRequest('A field of the form comes twice.');
  return Object.fromEntries(fields);
}

declare module 'fastify' {
  interface FastifyContextConfig {
    forms?: boolean;
  }
}
