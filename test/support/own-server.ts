import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { seedDemo } from '../../src/demo/demo.js';
import { loadConfig } from '../../src/kernel/config/config.js';
import { startEmbeddedPostgres } from '../../src/kernel/database/embedded-postgres.js';
import type { TestDatabase } from './database.js';

const run = promisify(execFile);
const longestRecoveryMs = 20_000;

/** A server of the test's own, since the others would not like it to fall over under them. */
export interface OwnServer {
  /** Holds the cluster and its log. */
  folder: string;
  /** Migrated, with the demo's people. Its `sql` waits while the server is away. */
  database: TestDatabase;
  crash(): Promise<void>;
  stop(): Promise<void>;
}

export async function startOwnServer(): Promise<OwnServer> {
  const folder = mkdtempSync(join(tmpdir(), 'polyclinic-restart-'));
  const server = await startEmbeddedPostgres(folder, { admin: 'for-this-test', api: 'for-this-test' });
  const { adminUrl, apiUrl } = server;
  const variables = { NODE_ENV: 'test', DATA_DIR: folder, DATABASE_URL: apiUrl, MIGRATION_DATABASE_URL: adminUrl };
  await run(process.execPath, ['dist/src/cli.js', 'migrate'], { env: { ...variables, PATH: process.env.PATH } });
  await seedDemo(loadConfig({ ...variables, ARGON2_MEMORY_KIB: '1024', ARGON2_PASSES: '1' }));
  const pool = new pg.Pool({ connectionString: adminUrl, max: 2 });
  pool.on('error', () => undefined);
  const sql: TestDatabase['sql'] = async (text, values = []) =>
    (await whenThere(() => pool.query(text, values))).rows as never;
  return {
    folder,
    database: { adminUrl, apiUrl, sql, drop: async () => undefined },
    crash: () => crash(adminUrl),
    stop: async () => {
      await pool.end();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Kills one backend the hard way: the server ends all connections, recovers, and takes new ones on the same port. */
async function crash(adminUrl: string): Promise<void> {
  const client = new pg.Client(adminUrl);
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
  await client.end().catch(() => undefined);
}

/** What a statement complains of is thrown; that nobody answers is not. */
async function whenThere<T>(work: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + longestRecoveryMs; ; ) {
    try {
      return await work();
    } catch (error) {
      const { code = '' } = error as { code?: string };
      const isComplaint = error instanceof pg.DatabaseError && !code.startsWith('57P');
      if (isComplaint || Date.now() > deadline) throw error;
      await pause(100);
    }
  }
}
