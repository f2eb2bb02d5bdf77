import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { EmbeddedPlace } from './embedded-place.js';
import { EmbeddedPostgresError } from './embedded-postgres-error.js';
import { commandOf } from './folder-claim.js';

/** What the server's own programs need of an environment: none of our secrets, and one language of messages. */
export const serverEnvironment = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

const ownSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

const longestStartMs = 30_000;
const longestStopMs = 20_000;

/** A free port may be taken again before the server has it, and a killed server's children may take a moment to go. */
export async function startServer(place: EmbeddedPlace, dataDir: string, settings: Readonly<Record<string, string>>) {
  const log = join(dataDir, 'postgres.log');
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    const port = await freePort();
    const server = await start(place, port, log, settings);
    if (server) return { server, port };
    await pause(150 * attempt);
  }
  throw new EmbeddedPostgresError(`The embedded PostgreSQL did not start. Its log says why: ${log}`);
}

async function start(
  { postgres, cluster, identity }: EmbeddedPlace,
  port: number,
  logFile: string,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess | undefined> {
  const options = Object.entries({ ...ownSettings, ...settings }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const log = openSync(logFile, 'a', 0o600);
  // The working folder may be one that the server's user cannot enter.
  const process_ = { ...identity, cwd: '/', env: serverEnvironment, detached: true };
  const server = spawn(postgres, ['-D', cluster, '-p', String(port), ...options], {
    ...process_,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const failed = new Promise<false>((resolve) => {
    server.once('error', () => resolve(false));
    server.once('exit', () => resolve(false));
  });
  const isReady = await Promise.race([untilReady(cluster, server), failed]);
  if (isReady) server.unref();
  else server.kill('SIGQUIT');
  return isReady ? server : undefined;
}

/** The server writes `ready` into the eighth line of its pid file (as `pg_ctl` reads it too). */
async function untilReady(cluster: string, server: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + longestStartMs;
  while (Date.now() < deadline && server.exitCode === null) {
    const [pid, , , , , , , state] = pidFileLines(cluster);
    if (Number(pid) === server.pid && state?.trim() === 'ready') return true;
    await pause(10);
  }
  return false;
}

/**
 * Stops the server that an earlier process, killed before it could, left running on this folder.
 *
 * @throws EmbeddedPostgresError while it still runs: two servers on one folder would destroy the data
 */
export async function stopLeftover(cluster: string): Promise<void> {
  const pid = Number(pidFileLines(cluster)[0] ?? 0);
  if (!(pid > 0)) return;
  // After a restart of the machine the number may belong to anything.
  const isRunning = async () => (await commandOf(pid)).includes(cluster);
  if (await isRunning()) {
    process.kill(pid, 'SIGINT');
    const deadline = Date.now() + longestStopMs;
    while ((await isRunning()) && Date.now() < deadline) await pause(20);
    if (await isRunning())
      throw new EmbeddedPostgresError(
        `A server (process ${pid}) still runs on ${cluster}: stop it, or wait until it has ended.`,
      );
  }
  rmSync(join(cluster, 'postmaster.pid'), { force: true });
}

function pidFileLines(cluster: string): string[] {
  try {
    return readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** SIGINT is the server's fast shutdown: open transactions are rolled back. SIGQUIT, if that hangs, leaves the rest to recovery. */
export async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.ref();
  const gone = once(server, 'exit');
  server.kill('SIGINT');
  const force = setTimeout(() => server.kill('SIGQUIT'), longestStopMs);
  await gone;
  clearTimeout(force);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
