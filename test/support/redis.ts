import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { testServer } from './database.js';

/** A real Redis on a free port that can be made to hang or to die. */
export interface RedisServer {
  url: string;
  /** Takes connections and answers nothing, until `resume`. */
  hang(): void;
  resume(): void;
  /** Falls over as a process does that runs out of memory: nothing is said to anybody. */
  kill(): Promise<void>;
  /** On the same port again, and empty. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(testServer().folder, 'redis-'));
  let server = await launch(port, folder);
  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await gone;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    hang: () => server.kill('SIGSTOP'),
    resume: () => server.kill('SIGCONT'),
    kill,
    restart: async () => {
      server = await launch(port, folder);
    },
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function launch(port: number, folder: string): Promise<ChildProcess> {
  const options = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', options, { stdio: 'ignore' });
  const failed = new Promise<never>((_, reject) => {
    server.once('error', (error) => reject(isMissing(error) ? new Error(howToInstall) : error));
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code} before it answered.`)));
  });
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  try {
    await Promise.race([client.ping(), failed]);
  } finally {
    client.disconnect();
  }
  failed.catch(() => undefined);
  return server;
}

const howToInstall =
  'redis-server is not installed, and these tests need a real one: it is in the Debian package redis-server (apt-get install redis-server).';

function isMissing(error: Error): boolean {
  return 'code' in error && error.code === 'ENOENT';
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}
