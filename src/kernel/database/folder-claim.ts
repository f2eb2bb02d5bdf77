import { execFile } from 'node:child_process';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './embedded-postgres-error.js';

/**
 * Takes the folder for this process, until `releaseFolder` or its death.
 *
 * @throws EmbeddedPostgresError when a live process has it
 */
export function claimFolder(dataDir: string): void {
  const file = claimFile(dataDir);
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${process.pid} ${startOf(process.pid)}\n`);
  try {
    // A link, unlike a write, fails when the file is there: of two that come at once, one gets it.
    for (let attempt = 1; !tryLink(draft, file); attempt += 1) {
      const owner = liveOwner(file);
      if (owner !== undefined || attempt > 3) throw inUse(dataDir, owner);
      rmSync(file, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

export function releaseFolder(dataDir: string): void {
  rmSync(claimFile(dataDir), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The command line of a process, or nothing when it cannot be seen. */
export async function commandOf(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return (await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)])).stdout;
  } catch {
    return '';
  }
}

function claimFile(dataDir: string): string {
  return join(dataDir, 'polyclinic.pid');
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The process that the claim names, unless it is gone and its number belongs to another, as in a restarted container. */
function liveOwner(file: string): number | undefined {
  const [pid = '', start = ''] = readClaim(file).split(' ');
  const owner = Number(pid);
  return owner > 0 && isAlive(owner) && startOf(owner) === start ? owner : undefined;
}

function readClaim(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/** When a process started, in ticks since the machine did (proc(5), field 22); elsewhere than on Linux unknown. */
function startOf(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function inUse(dataDir: string, owner: number | undefined): EmbeddedPostgresError {
  const who = owner === undefined ? 'another process' : `process ${owner}`;
  return new EmbeddedPostgresError(`${dataDir} is in use by ${who}: stop it, or set DATA_DIR to another folder.`);
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
