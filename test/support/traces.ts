import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestDatabase } from './database.js';

const run = promisify(execFile);
const largestDumpBytes = 512 * 1024 * 1024;

/** Where a run has left something, and what must not be in it. */
export interface Traces {
  database: TestDatabase;
  /** All that the processes of the run wrote. */
  processes: readonly { output: string; errors: string }[];
  /** Data folders; files in them that are named as logs count as logs. */
  folders: readonly string[];
  /** Must be nowhere. */
  secrets: readonly string[];
  /** Must be in no log: what people write is nobody's who reads logs. */
  captions?: readonly string[];
}

interface Written {
  where: string;
  bytes: Buffer;
  isLog: boolean;
}

/** Looks through all that a run has written: logs, files, each row of each table, and a dump where one can be taken. */
export async function expectNoTrace(traces: Traces): Promise<void> {
  const { processes, folders, database, secrets, captions = [] } = traces;
  expect(secrets.filter((secret) => secret.length > 8).length).toBe(secrets.length);
  expect(secrets.length).toBeGreaterThan(1);
  const hidden = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('hex')]);
  const found: string[] = [];
  const search = ({ where, bytes, isLog }: Written) => {
    const sought = isLog ? [...hidden, ...captions] : hidden;
    for (const each of sought) if (bytes.includes(each)) found.push(`${where}: ${each}`);
  };
  processes.forEach(({ output, errors }, index) => {
    search({ where: `process ${index}`, bytes: Buffer.from(output + errors), isLog: true });
  });
  for (const folder of folders) for (const file of filesIn(folder)) search(file);
  for await (const rows of rowsOf(database)) search(rows);
  const dump = await dumpOf(database);
  if (dump) search({ where: 'pg_dump', bytes: dump, isLog: false });
  expect(found).toEqual([]);
}

function* filesIn(folder: string): Generator<Written> {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const bytes = entry.isFile() ? read(path) : undefined;
    if (bytes) yield { where: path, bytes, isLog: /\.log\b/.test(entry.name) };
  }
}

/** A running server removes files while they are listed. */
function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Of all schemas: what the queue and the audit log keep as well. */
async function* rowsOf({ sql }: TestDatabase): AsyncGenerator<Written> {
  const tables = await sql<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'`,
  );
  for (const { name } of tables) {
    const rows = await sql<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    yield { where: name, bytes: Buffer.from(rows.map(({ row }) => row).join('\n')), isLog: false };
  }
}

/** Undefined where pg_dump is not installed, or is older than the server, which it then refuses. */
async function dumpOf({ sql, adminUrl }: TestDatabase): Promise<Buffer | undefined> {
  const [server] = await sql<{ major: number }>(`SELECT current_setting('server_version_num')::int / 10000 AS major`);
  const { stdout } = await run('pg_dump', ['--version']).catch(() => ({ stdout: '' }));
  const major = Number(/\d+/.exec(stdout)?.[0] ?? 0);
  if (major < (server?.major ?? 0)) return undefined;
  return (await run('pg_dump', [adminUrl], { encoding: 'buffer', maxBuffer: largestDumpBytes })).stdout;
}
