import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The built service as a process of its own, with no variable but those given. */
export interface ServiceProcess {
  child: ChildProcess;
  /** What it has written so far. */
  output: string;
  errors: string;
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | string>;
}

export interface Refusal {
  code: number | string;
  output: string;
  errors: string;
}

const greeting = /^Polyclinic answers at (\S+)\/api\/v1$/m;
const longestStartMs = 20_000;
const patienceMs = 10_000;

export function launch(variables: Record<string, string>, program = 'main.js', ...args: string[]): ServiceProcess {
  const command = ['--enable-source-maps', join('dist/src', program), ...args];
  const child = spawn(process.execPath, command, {
    env: { PATH: process.env.PATH, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  const launched: ServiceProcess = { child, output: '', errors: '', ended };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    launched.output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    launched.errors += text;
  });
  return launched;
}

/** The address that it prints once it answers. */
export async function addressOf(launched: ServiceProcess): Promise<string> {
  const deadline = Date.now() + longestStartMs;
  while (Date.now() < deadline && launched.child.exitCode === null && launched.child.signalCode === null) {
    const [, address] = greeting.exec(launched.output) ?? [];
    if (address) return address;
    await pause(20);
  }
  throw new Error(`The service did not start: ${launched.errors || launched.output}`);
}

/** How a start ends that is meant to be refused. */
export async function refusalOf(variables: Record<string, string>): Promise<Refusal> {
  const launched = launch(variables);
  const impatience = setTimeout(() => launched.child.kill('SIGKILL'), longestStartMs);
  const code = await launched.ended;
  clearTimeout(impatience);
  return { code, output: launched.output, errors: launched.errors };
}

/** The embedded server of a data folder, or undefined when none has it. */
export function serverPidOf(dataDir: string): number | undefined {
  const file = join(dataDir, 'postgres/postmaster.pid');
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : undefined;
}

/** Whether it runs: a process that has ended and that nobody asked about is still listed, and counts as gone. */
export function isAlive(pid: number | undefined): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

/** Waits for what must come soon; a test that waits longer would hide why. */
export async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${isSo}.`);
    await pause(5);
  }
}
