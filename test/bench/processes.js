import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Processes of a bench and what is asked of them. */

const children = [];
/** Those of `npm start`. */
const flags = ['--max-old-space-size=160', '--max-semi-space-size=8'];

/** Where `dist/src/main.js` says that it listens. */
export const answers = /answers at (http\S+)\/api\/v1/;

/** Limits that no bench reaches. */
export const wide = {
  RATE_LIMIT_USER: '100000000',
  RATE_LIMIT_TENANT: '100000000',
  RATE_LIMIT_ADDRESS: '100000000',
};

/** Starts a script and waits for the line that names its address. */
export async function start(file, env, marker, ...given) {
  const child = spawn(process.execPath, [...flags, file, ...given], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const started = performance.now();
  for await (const line of createInterface({ input: child.stdout })) {
    const url = line.match(marker)?.[1];
    if (url) return { child, url, startMs: Math.round(performance.now() - started) };
  }
  throw new Error(`${file} did not start.`);
}

export async function stopAll() {
  for (const child of children) if (child.exitCode === null) child.kill('SIGTERM');
  await Promise.all(children.filter((child) => child.exitCode === null).map((child) => once(child, 'exit')));
}

/** How to reach the embedded server of a running service: as its superuser, and as the login of the API. */
export function databasesOf(folder) {
  const secrets = JSON.parse(readFileSync(join(folder, 'secrets.json'), 'utf8')).embeddedDatabase;
  const port = readFileSync(join(folder, 'postgres/postmaster.pid'), 'utf8').split('\n')[3];
  return {
    adminUrl: `postgres://postgres:${secrets.admin}@127.0.0.1:${port}/polyclinic`,
    apiUrl: `postgres://polyclinic_api:${secrets.api}@127.0.0.1:${port}/polyclinic`,
  };
}

export async function logIn(url, email) {
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password: 'open-the-clinic' }),
  });
  return (await response.json()).accessToken;
}

/** Of two, the lower. */
export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

export const rssMib = (pid) =>
  Math.round(Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) / 1024);

/** Milliseconds of CPU that a process has used; Linux counts them in hundredths of a second. */
export function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export async function timed(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
