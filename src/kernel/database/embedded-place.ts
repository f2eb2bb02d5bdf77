import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './embedded-postgres-error.js';

const run = promisify(execFile);

/** Where root keeps what the server's user must reach, when the project lies where that user cannot enter (`/root`). */
const reachableRoot = '/var/lib/polyclinic';

/** Who runs the server: nobody in particular, or, for root, the user `postgres`. */
export interface Identity {
  uid?: number;
  gid?: number;
}

export interface EmbeddedPlace {
  initdb: string;
  postgres: string;
  /** The folder of the data. */
  cluster: string;
  identity: Identity;
}

interface Binaries {
  initdb: string;
  postgres: string;
}

/**
 * Finds the server's programs, its data and the user to run it.
 *
 * PostgreSQL refuses to run as root, so root runs it as `postgres`. What that user cannot reach is kept under
 * `/var/lib/polyclinic`, and `<dataDir>/postgres` is then a link to it.
 */
export async function findPlace(dataDir: string): Promise<EmbeddedPlace> {
  const identity = await serverIdentity();
  const binaries = await findBinaries();
  const isReachable = canReach(binaries.postgres, identity);
  const { initdb, postgres } = isReachable ? binaries : await copyBinaries(binaries, identity);
  return { initdb, postgres, cluster: clusterFolder(dataDir, identity), identity };
}

/** Hands files over to the server's user. */
export function give({ uid, gid }: Identity, ...paths: string[]): void {
  if (uid === undefined || gid === undefined) return;
  for (const path of paths) chownSync(path, uid, gid);
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

async function serverIdentity(): Promise<Identity> {
  if (userInfo().uid !== 0) return {};
  const find = async (): Promise<Identity> => ({
    uid: Number((await run('id', ['-u', 'postgres'])).stdout),
    gid: Number((await run('id', ['-g', 'postgres'])).stdout),
  });
  try {
    return await find().catch(async () => {
      await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres']);
      return find();
    });
  } catch {
    throw new EmbeddedPostgresError(
      'PostgreSQL does not run as root, and the user postgres could not be made: start as another user, or set DATABASE_URL.',
    );
  }
}

function clusterFolder(dataDir: string, identity: Identity): string {
  const cluster = join(dataDir, 'postgres');
  const link = lstatSync(cluster, { throwIfNoEntry: false });
  if (link?.isSymbolicLink()) return realpathOf(cluster);
  if (!link) letThrough(dataDir, identity);
  if (link || canReach(dataDir, identity)) return cluster;
  return makeElsewhere(cluster);
}

function realpathOf(link: string): string {
  if (existsSync(link)) return realpathSync(link);
  throw new EmbeddedPostgresError(
    `${link} points to data that is gone: bring it back, or remove the link to start anew.`,
  );
}

/** The folder is ours: where it alone bars the way, the server's user may pass (not look around) from now on. */
function letThrough(dataDir: string, identity: Identity): void {
  if (canReach(dataDir, identity) || !canReach(dirname(dataDir), identity)) return;
  chmodSync(dataDir, statSync(dataDir).mode | 0o001);
}

/** Always a new folder: a name made of the path would meet the data of an installation that was moved away from it. */
function makeElsewhere(link: string): string {
  mkdirSync(reachableRoot, { recursive: true, mode: 0o711 });
  const folder = mkdtempSync(join(reachableRoot, 'data-'));
  chmodSync(folder, 0o711);
  const cluster = join(folder, 'postgres');
  symlinkSync(cluster, link);
  return cluster;
}

async function copyBinaries({ postgres }: Binaries, identity: Identity): Promise<Binaries> {
  const native = dirname(dirname(postgres));
  const { version } = JSON.parse(readFileSync(join(native, '../package.json'), 'utf8')) as { version: string };
  const copy = join(reachableRoot, `binaries-${version}`);
  const bin = join(copy, 'bin');
  if (!existsSync(copy)) {
    const draft = `${copy}.${process.pid}`;
    mkdirSync(reachableRoot, { recursive: true, mode: 0o711 });
    cpSync(native, draft, { recursive: true, verbatimSymlinks: true });
    await run('chown', ['-R', `${identity.uid}:${identity.gid}`, draft]);
    renameSync(draft, copy);
  }
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
}

/** Whether the server's user may enter every folder on the way, and read or enter the end. */
function canReach(path: string, { uid, gid }: Identity): boolean {
  if (uid === undefined) return true;
  for (let step = realpathSync(path); ; step = dirname(step)) {
    const { mode, uid: owner, gid: group } = statSync(step);
    const bits = owner === uid ? mode >> 6 : group === gid ? mode >> 3 : mode;
    if ((bits & 0o1) === 0) return false;
    if (step === dirname(step)) return true;
  }
}
