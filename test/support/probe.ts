import 'reflect-metadata';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { Body, Controller, Get, Module, Param, Post, Query } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import { z } from 'zod';
import { AppModule } from '../../src/app.module.js';
import { loadConfig } from '../../src/kernel/config/config.js';
import { Operation } from '../../src/kernel/http/operation.decorator.js';
import { createHttpApplication } from '../../src/kernel/http/server.js';
import { LOGGER } from '../../src/kernel/observability/logger.js';
import { anybody } from '../../src/kernel/tenancy/access.js';
import { Database } from '../../src/kernel/tenancy/database.js';
import { createTestDatabase, type TestDatabase, testServer } from './database.js';

const Statement = z.strictObject({ text: z.string() });
const Nested = z.strictObject({ people: z.array(z.strictObject({ age: z.int().min(0) })) });
const Filter = z.strictObject({ from: z.iso.date() });

/** What the next call of `POST /probe/throw` throws. */
const armed: { error: unknown } = { error: undefined };

@Controller('probe')
class ProbeController {
  constructor(private readonly database: Database) {}

  @Post('sql')
  @Operation({ id: 'probeSql', summary: 'Run a statement', access: anybody })
  async run(@Body({ schema: Statement }) { text }: z.infer<typeof Statement>): Promise<void> {
    await this.database.query(text);
  }

  @Get('sql')
  @Operation({ id: 'probeRead', summary: 'Write in a read', access: anybody })
  async read(): Promise<void> {
    await this.database.query('CREATE TABLE public.must_not_be (secret text)');
  }

  @Post('throw')
  @Operation({ id: 'probeThrow', summary: 'Throw what was armed', access: anybody })
  fail(): void {
    throw armed.error;
  }

  @Post('nested/:number')
  @Operation({ id: 'probeNested', summary: 'Take a nested body', access: anybody })
  take(
    @Param('number', { schema: z.coerce.number().int() }) _number: number,
    @Query({ schema: Filter }) _filter: z.infer<typeof Filter>,
    @Body({ schema: Nested }) _body: z.infer<typeof Nested>,
  ): void {}
}

/** The service with routes that go wrong on purpose. */
export interface Probe {
  url: string;
  database: TestDatabase;
  /** The log, line by line, in place of standard output. */
  log: Record<string, unknown>[];
  /** Lets `POST /probe/throw` throw this. */
  arm(error: unknown): void;
  /** Stops the service and leaves the database. */
  close(): Promise<void>;
  stop(): Promise<void>;
}

export async function startProbe(variables: Record<string, string> = {}): Promise<Probe> {
  const database = await createTestDatabase();
  const config = loadConfig({
    NODE_ENV: 'test',
    DATA_DIR: mkdtempSync(join(testServer().folder, 'probe-')),
    DATABASE_URL: database.apiUrl,
    MIGRATION_DATABASE_URL: database.adminUrl,
    RATE_LIMIT_ADDRESS: '1000000',
    ...variables,
  });
  @Module({ imports: [AppModule.with(config, { withWorker: false })], controllers: [ProbeController] })
  class ProbeModule {}
  const application = await createHttpApplication(ProbeModule, config);
  const log = captureLog(application);
  await application.listen(0, '127.0.0.1');
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= application.close();
    return closed;
  };
  return {
    url: `${await application.getUrl()}/api/v1/probe`,
    database,
    log,
    arm: (error) => {
      armed.error = error;
    },
    close,
    stop: async () => {
      await close();
      await database.drop();
    },
  };
}

/** Puts a list in the place of the stream that the service's log goes to. */
export function captureLog(application: NestFastifyApplication): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const logger = application.get<Record<symbol, unknown>>(LOGGER);
  logger[pino.symbols.streamSym] = { write: (line: string) => lines.push(JSON.parse(line)) };
  return lines;
}
