import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { type TestDatabase, testServer } from './database.js';
import { freePort } from './free-port.js';
import { programNamed } from './programs.js';

/** PgBouncer in transaction mode in front of a test's database. */
export interface PgBouncer {
  /** `polyclinic_api`, through PgBouncer. */
  url: string;
  stop(): Promise<void>;
}

/** @param poolSize how many connections to the server all clients share */
export async function openPgBouncer(database: TestDatabase, poolSize: number): Promise<PgBouncer> {
  const folder = mkdtempSync(join(testServer().folder, 'pgbouncer-'));
  const direct = new URL(database.apiUrl);
  const url = new URL(database.apiUrl);
  url.hostname = '127.0.0.1';
  url.port = String(await freePort());
  const files = { settings: join(folder, 'pgbouncer.ini'), logins: join(folder, 'logins.txt') };
  writeFileSync(files.settings, settingsFor(direct, url.port, files.logins, poolSize));
  writeFileSync(files.logins, `"${direct.username}" "${decodeURIComponent(direct.password)}"\n`);
  // As root it changes to another user before it reads them.
  for (const [path, mode] of [
    [testServer().folder, 0o711],
    [folder, 0o755],
  ] as const)
    chmodSync(path, mode);
  const stop = await run(files.settings);
  await untilItAnswers(url.href).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { url: url.href, stop };
}

/** As docs/operations.md says it: the worker goes to PostgreSQL directly, and statements have no names. */
export function variablesBehind({ url }: PgBouncer, { apiUrl }: TestDatabase): Record<string, string> {
  return { DATABASE_URL: url, WORKER_DATABASE_URL: apiUrl, NAMED_STATEMENTS: 'false', DATABASE_POOL_SIZE: '20' };
}

function settingsFor(server: URL, port: string, logins: string, poolSize: number): string {
  return `
[databases]
* = host=${server.hostname} port=${server.port || 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${logins}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 200
`;
}

/** Starts it and answers how to stop it, once it is there to be stopped. */
async function run(settings: string): Promise<() => Promise<void>> {
  const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
  const child = spawn(programNamed('pgbouncer'), ['-q', ...user, settings], { stdio: 'ignore' });
  const gone = once(child, 'exit');
  return async () => {
    // Immediate in every version; what SIGTERM does has changed.
    child.kill('SIGQUIT');
    await gone;
  };
}

async function untilItAnswers(url: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const client = new pg.Client(url);
    try {
      await client.connect();
      return await client.end();
    } catch (error) {
      if (attempt >= 100) throw error;
      await pause(50);
    }
  }
}
