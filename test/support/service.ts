import 'reflect-metadata';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Module, type Provider, type Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { uuidv7 } from 'uuidv7';
import { AppModule } from '../../src/app.module.js';
import { demoPassword } from '../../src/demo/demo.js';
import { type Config, loadConfig } from '../../src/kernel/config/config.js';
import { createHttpApplication } from '../../src/kernel/http/server.js';
import { createTestDatabase, type TestDatabase, testServer } from './database.js';
import { openPgBouncer, variablesBehind } from './pgbouncer.js';

export interface Answer<Body = never> {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: an answer is looked into freely, as a client would
  body: [Body] extends [never] ? any : Body;
  text: string;
}

interface CallOptions {
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** The service as a client meets it: listening on a port, with a database of its own. */
export interface Service {
  url: string;
  config: Config;
  database: TestDatabase;
  application: NestFastifyApplication;
  /** `call('GET', '/clinics')`: under /api/v1; a path that begins with two slashes is taken from the root. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** The access token of a demo person, logged in once. */
  tokenOf(email: string): Promise<string>;
  stop(): Promise<void>;
}

interface ServiceOptions {
  withWorker?: boolean;
  variables?: Record<string, string>;
  database?: TestDatabase;
  /** Routes of a test's own. */
  controllers?: Type[];
  /** Jobs of a test's own. */
  providers?: Provider[];
  /** For what can only be set on a server that does not listen yet. */
  beforeListening?: (application: NestFastifyApplication) => void;
}

/** Starts the service on a free port. Hashing is cheap and limits are wide unless a test asks for the real ones. */
export async function startService({
  withWorker = false,
  variables = {},
  database,
  controllers = [],
  providers = [],
  beforeListening,
}: ServiceOptions = {}): Promise<Service> {
  const own = database ?? (await createTestDatabase());
  // With TEST_PGBOUNCER any test of the service goes through PgBouncer in transaction mode.
  const pgbouncer = process.env.TEST_PGBOUNCER ? await openPgBouncer(own, 5) : undefined;
  const behind = pgbouncer && variablesBehind(pgbouncer, own);
  const config = loadConfig(variablesFor(own, { ...behind, ...variables }));
  @Module({ imports: [AppModule.with(config, { withWorker })], controllers, providers })
  class TestModule {}
  const application = await createHttpApplication(TestModule, config);
  beforeListening?.(application);
  await application.listen(0, '127.0.0.1');
  const url = await application.getUrl();
  const tokens = new Map<string, Promise<string>>();
  const call: Service['call'] = (method, path, options) =>
    send(`${url}${path.startsWith('//') ? path.slice(1) : `/api/v1${path}`}`, method, options);
  return {
    url,
    config,
    database: own,
    application,
    call,
    tokenOf: (email) => {
      const token = tokens.get(email) ?? logIn(call, email);
      tokens.set(email, token);
      return token;
    },
    stop: async () => {
      await application.close();
      await pgbouncer?.stop();
      if (!database) await own.drop();
    },
  };
}

function variablesFor(database: TestDatabase, variables: Record<string, string>): Record<string, string> {
  const dataDir = join(testServer().folder, uuidv7());
  mkdirSync(dataDir);
  return {
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    DATABASE_URL: database.apiUrl,
    MIGRATION_DATABASE_URL: database.adminUrl,
    ARGON2_MEMORY_KIB: '1024',
    ARGON2_PASSES: '1',
    LOG_LEVEL: 'silent',
    RATE_LIMIT_USER: '1000000',
    RATE_LIMIT_TENANT: '1000000',
    RATE_LIMIT_ADDRESS: '1000000',
    FREE_ATTEMPTS: '1000000',
    ...variables,
  };
}

/** One request as a client makes it; it follows nobody anywhere. */
export async function send(
  url: string,
  method: string,
  { token, body, headers = {} }: CallOptions = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && {
      body: body instanceof FormData || typeof body === 'string' ? body : JSON.stringify(body),
    }),
  });
  const text = await response.text();
  // The answer to HEAD names the type of what it does not hold.
  const isJson = text !== '' && response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : undefined, text };
}

async function logIn(call: Service['call'], email: string): Promise<string> {
  const answer = await call('POST', '/auth/login', { body: { email, password: demoPassword } });
  if (answer.status !== 200) throw new Error(`${email} cannot log in: ${answer.text}`);
  return answer.body.accessToken as string;
}
