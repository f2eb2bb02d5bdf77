import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
// Jest transforms nothing that a global set-up imports, so it stands on the build, which `npm test` makes first.
import { startEmbeddedPostgres } from '../../dist/src/kernel/database/embedded-postgres.js';

/** Nothing of a test run needs to survive a power cut. */
const fastButUnsafe = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

const ourRoles = `SELECT rolname AS name FROM pg_roles
  WHERE rolname IN ('polyclinic_api', 'polyclinic_owner', 'polyclinic_jobs', 'anon', 'authenticated', 'super_admin', 'service_role')`;

/**
 * The server of this run: an embedded one in a temporary folder, or that of TEST_DATABASE_URL (a superuser's address).
 * `close()` removes every database whose name begins with `prefix`, the roles that were not there before, the server if
 * it is ours, and the folder.
 */
export async function openTestServer(prefix) {
  await removeLeftovers();
  const folder = mkdtempSync(join(tmpdir(), `polyclinic-test-${process.pid}-`));
  const server = await start(folder);
  const rolesBefore = process.env.TEST_DATABASE_URL ? await namesOf(server.adminUrl, ourRoles) : [];
  const passwordBefore = await passwordOfApi(server.adminUrl);
  let closed;
  const close = async () => {
    if (process.env.TEST_DATABASE_URL) {
      await removeTraces(server.adminUrl, prefix, rolesBefore);
      if (passwordBefore) await restorePasswordOfApi(server.adminUrl, passwordBefore);
    }
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    adminUrl: server.adminUrl,
    folder,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

export async function withClient(url, work) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function start(folder) {
  const external = process.env.TEST_DATABASE_URL;
  if (external) return { adminUrl: external, stop: async () => undefined };
  const password = () => randomBytes(12).toString('hex');
  return startEmbeddedPostgres(folder, { admin: password(), api: password() }, fastButUnsafe);
}

async function removeTraces(adminUrl, prefix, rolesBefore) {
  const databases = await namesOf(adminUrl, 'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)', [
    prefix,
  ]);
  const roles = (await namesOf(adminUrl, ourRoles)).filter((name) => !rolesBefore.includes(name));
  await withClient(adminUrl, async (client) => {
    for (const name of databases) await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    // A role that another run on this server uses cannot be dropped, and need not be.
    for (const name of roles) await client.query(`DROP ROLE IF EXISTS ${name}`).catch(() => undefined);
  });
}

/** The API's login may serve an installation on that server: it gets back the password that the run has changed. */
async function passwordOfApi(adminUrl) {
  const [hash] = await namesOf(adminUrl, `SELECT rolpassword AS name FROM pg_authid WHERE rolname = 'polyclinic_api'`);
  return hash;
}

function restorePasswordOfApi(adminUrl, hash) {
  return withClient(adminUrl, (client) => client.query(`ALTER ROLE polyclinic_api PASSWORD ${pg.escapeLiteral(hash)}`));
}

function namesOf(adminUrl, query, values = []) {
  return withClient(adminUrl, async (client) => (await client.query(query, values)).rows.map(({ name }) => name));
}

/** A run that was killed could not clean up: the next one does. Starting its server stops the one that was left running. */
async function removeLeftovers() {
  for (const name of readdirSync(tmpdir())) {
    const [, owner] = /^polyclinic-test-(\d+)-/.exec(name) ?? [];
    const folder = join(tmpdir(), name);
    if (!owner || isAlive(Number(owner)) || statSync(folder).uid !== process.getuid()) continue;
    const leftover = await startEmbeddedPostgres(folder, { admin: '', api: '' }).catch(() => undefined);
    await leftover?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
