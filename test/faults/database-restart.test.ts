import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { demoAddress, seedDemo } from '../../src/demo/demo.js';
import { loadConfig } from '../../src/kernel/config/config.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/kernel/database/embedded-postgres.js';
import type { TestDatabase } from '../support/database.js';
import { type Answer, type Service, startService } from '../support/service.js';

const run = promisify(execFile);

/** A server of its own, since the other tests would not like it to fall over under them. */
let folder: string;
let server: EmbeddedPostgres;
let service: Service;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'polyclinic-restart-'));
  server = await startEmbeddedPostgres(folder, { admin: 'for-this-test', api: 'for-this-test' });
  const variables = {
    NODE_ENV: 'test',
    DATA_DIR: folder,
    DATABASE_URL: server.apiUrl,
    MIGRATION_DATABASE_URL: server.adminUrl,
  };
  await run(process.execPath, ['dist/src/cli.js', 'migrate'], { env: { ...variables, PATH: process.env.PATH } });
  await seedDemo(loadConfig({ ...variables, ARGON2_MEMORY_KIB: '1024', ARGON2_PASSES: '1' }));
  service = await startService({ database: databaseOf(server), withWorker: true });
});
afterAll(async () => {
  await service.stop();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function databaseOf({ adminUrl, apiUrl }: EmbeddedPostgres): TestDatabase {
  return { adminUrl, apiUrl, sql: async () => [], drop: async () => undefined };
}

/** Kills one backend the hard way: the server ends all connections, recovers, and takes new ones on the same port. */
async function crash(): Promise<void> {
  const client = new pg.Client(server.adminUrl);
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
  await client.end().catch(() => undefined);
}

describe('200 requests while the database crashes and comes back', () => {
  it('get a right answer or a clear 503, none hangs, and the pool is whole afterwards', async () => {
    const token = await service.tokenOf(demoAddress('owner', 'northside'));
    const answers: Answer[] = [];
    const ask = async (index: number) => {
      await new Promise((resolve) => setTimeout(resolve, index * 8));
      const isWrite = index % 4 === 0;
      answers.push(
        isWrite
          ? await service.call('POST', '/organisations', {
              token,
              body: { name: `Under load ${index}`, slug: `under-load-${index}` },
            })
          : await service.call('GET', '/auth/me', { token }),
      );
    };
    const all = Promise.all(Array.from({ length: 200 }, (_, index) => ask(index)));
    await new Promise((resolve) => setTimeout(resolve, 400));
    await crash();
    await all;

    const wrong = answers.filter(
      ({ status, body }) => ![200, 201].includes(status) && !(status === 503 && body.code === 'database-unavailable'),
    );
    expect(wrong.map(({ text }) => text)).toEqual([]);
    expect(
      answers.filter(({ status }) => status === 503).every(({ headers }) => headers.get('retry-after') === '1'),
    ).toBe(true);
    expect(
      answers
        .filter(({ status }) => status === 200)
        .every(({ body }) => body.email === demoAddress('owner', 'northside')),
    ).toBe(true);

    await expectToRecover(token);
    await expectNothingHalfWritten(answers);
  });

  async function expectToRecover(token: string): Promise<void> {
    const deadline = Date.now() + 10_000;
    let answer = await service.call('GET', '/auth/me', { token });
    while (answer.status !== 200 && Date.now() < deadline) answer = await service.call('GET', '/auth/me', { token });
    const after = await Promise.all(Array.from({ length: 50 }, () => service.call('GET', '/auth/me', { token })));
    expect(after.map(({ status }) => status)).toEqual(Array(50).fill(200));
  }

  /** Whoever was told 201 has an organisation with its owner; nobody has one without. */
  async function expectNothingHalfWritten(answers: Answer[]): Promise<void> {
    const client = new pg.Client(server.adminUrl);
    await client.connect();
    const { rows } = await client.query<{ slug: string; owners: string }>(
      `SELECT o.slug, count(m.id) AS owners FROM organisations o LEFT JOIN organisation_members m ON m.organisation_id = o.id
        WHERE o.slug LIKE 'under-load-%' GROUP BY o.slug`,
    );
    await client.end();
    expect(rows.every(({ owners }) => owners === '1')).toBe(true);
    const promised = answers.filter(({ status }) => status === 201).map(({ body }) => body.slug);
    expect(promised.filter((slug) => !rows.some((row) => row.slug === slug))).toEqual([]);
  }

  it('let the worker go on as well: a mail that is asked for afterwards is sent', async () => {
    const answer = await service.call('POST', '/auth/password/forgot', {
      body: { email: demoAddress('owner', 'northside') },
    });
    expect(answer.status).toBe(202);
    const client = new pg.Client(server.adminUrl);
    await client.connect();
    const deadline = Date.now() + 15_000;
    let tokens = 0;
    while (tokens === 0 && Date.now() < deadline) {
      const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM auth.one_time_tokens');
      tokens = Number(rows[0]?.count);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await client.end();
    expect(tokens).toBe(1);
  });
});
