import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/kernel/database/embedded-postgres.js';

const passwords = { admin: 'admin-password', api: 'api-password' };
const built = join(process.cwd(), 'dist/src/kernel/database/embedded-postgres.js');

let folder: string;
let dataDir: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'polyclinic embedded-'));
  dataDir = folder;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function ask<Row extends object>(url: string, query: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(query)).rows;
  } finally {
    await client.end();
  }
}

/** A process that starts the server and then runs `afterwards`. */
async function startElsewhere(afterwards: string): Promise<ChildProcess> {
  const script = `const { startEmbeddedPostgres } = await import(${JSON.stringify(built)});
    const server = await startEmbeddedPostgres(${JSON.stringify(dataDir)}, ${JSON.stringify(passwords)});
    console.log('started'); ${afterwards}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

function serverPid(): number {
  return Number(readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);
}

async function untilGone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await pause(20);
}

test('keeps its data from one start to the next', async () => {
  const first = await startEmbeddedPostgres(dataDir, passwords);
  await ask(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  const next = await startEmbeddedPostgres(dataDir, passwords);
  const rows = await ask(next.adminUrl, 'SELECT answer FROM kept');
  await next.stop();
  expect(rows).toEqual([{ answer: 42 }]);
});

test('lets the API in as a login that row-level security holds, by password only', async () => {
  const server = await startEmbeddedPostgres(dataDir, passwords);
  const login = 'SELECT rolname, rolsuper, rolbypassrls, rolinherit FROM pg_roles WHERE rolname = session_user';
  const rows = await ask(server.apiUrl, login);
  const wrong = ask(server.apiUrl.replace('api-password', 'guess'), 'SELECT');
  await expect(wrong).rejects.toMatchObject({ code: '28P01' });
  await server.stop();
  expect(rows).toEqual([{ rolname: 'polyclinic_api', rolsuper: false, rolbypassrls: false, rolinherit: false }]);
});

test('refuses a folder that a live process uses, in one sentence', async () => {
  const server = await startEmbeddedPostgres(dataDir, passwords);
  const sentence = `${dataDir} is in use by process ${process.pid}: stop it, or set DATA_DIR to another folder.`;
  await expect(startEmbeddedPostgres(dataDir, passwords)).rejects.toThrow(sentence);
  expect(await ask(server.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
});

test('starts again after its process was killed and the server left running', async () => {
  const killed = await startElsewhere('setInterval(() => undefined, 1000);');
  const leftover = serverPid();
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  expect(existsSync(`/proc/${leftover}`)).toBe(true);
  const server = await startEmbeddedPostgres(dataDir, passwords);
  expect(serverPid()).not.toBe(leftover);
  expect(await ask(server.adminUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  await server.stop();
});

test('leaves a stranger alone that got the number of a server long gone', async () => {
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
  writeFileSync(join(dataDir, 'postgres/postmaster.pid'), `${stranger.pid}\n`);
  writeFileSync(join(dataDir, 'polyclinic.pid'), `${stranger.pid} 1\n`);
  const server = await startEmbeddedPostgres(dataDir, passwords);
  await server.stop();
  expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
  stranger.kill();
});

test('survives the terminal: it leads a session of its own', async () => {
  const server = await startEmbeddedPostgres(dataDir, passwords);
  const pid = serverPid();
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  await server.stop();
  expect({ group: fields[2], session: fields[3] }).toEqual({ group: String(pid), session: String(pid) });
});

test('goes with a process that exits without stopping it', async () => {
  const exiting = await startElsewhere('setTimeout(() => process.exit(1), 300);');
  const pid = serverPid();
  await once(exiting, 'exit');
  await untilGone(pid);
  expect(existsSync(join(dataDir, 'postgres/postmaster.pid'))).toBe(false);
});

test('names the secrets file when the password does not fit', async () => {
  const start = startEmbeddedPostgres(dataDir, { ...passwords, admin: 'lost' });
  await expect(start).rejects.toThrow(`The password in ${join(dataDir, 'secrets.json')} is not that of`);
});
