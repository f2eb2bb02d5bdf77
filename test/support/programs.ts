import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Test files that need a program beside Node.js, by the Debian package that brings it. */
const needs: Record<string, string> = {
  'test/kernel/shared-rate-limits.test.ts': 'redis-server',
  'test/tenancy/pgbouncer.test.ts': 'pgbouncer',
  'test/docs-page.test.ts': 'chromium',
  'test/social/click-through.test.ts': 'chromium',
};

/** Where the program lies; undefined when it is not installed. */
function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** @throws Error that says what to install */
export function programNamed(name: string): string {
  const path = findProgram(name);
  if (!path) throw new Error(`${name} is not installed: it is in the Debian package of that name.`);
  return path;
}

/** The test files that cannot run here, with the program that each lacks. */
export function filesWithoutProgram(): [file: string, program: string][] {
  return Object.entries(needs).filter(([, program]) => !findProgram(program));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
