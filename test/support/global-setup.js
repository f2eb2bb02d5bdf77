import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
// Jest transforms nothing that a global set-up imports, so it stands on the build, which `npm test` makes first.
import { seedDemo } from '../../dist/src/demo/demo.js';
import { loadConfig } from '../../dist/src/kernel/config/config.js';
import { startEmbeddedPostgres } from '../../dist/src/kernel/database/embedded-postgres.js';
import { migrateUp } from '../../dist/src/kernel/database/migrations.js';

/**
 * One server for the run: an embedded one, or that of TEST_DATABASE_URL (a superuser's address). On it one migrated
 * database with the demo's people, from which each test file clones its own.
 */
export default async function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'polyclinic-test-'));
  const apiPassword = randomBytes(12).toString('hex');
  const server = await openServer(folder, apiPassword);
  const template = `polyclinic_test_${process.pid}`;
  await withClient(server.adminUrl, async (client) => {
    await client.query(`CREATE DATABASE ${template}`);
  });
  const templateUrl = urlOf(server.adminUrl, template);
  await migrateUp(templateUrl);
  // Roles belong to the server, so an external one keeps this password until the next run sets its own.
  await withClient(server.adminUrl, (client) => client.query(`ALTER ROLE polyclinic_api PASSWORD '${apiPassword}'`));
  process.env.POLYCLINIC_TEST = JSON.stringify({ adminUrl: server.adminUrl, apiPassword, template, folder });
  await seedDemo(loadConfig({ ...testVariables(folder), DATABASE_URL: templateUrl }));
  globalThis.polyclinicServer = server;
}

function testVariables(folder) {
  return { NODE_ENV: 'test', DATA_DIR: folder, ARGON2_MEMORY_KIB: '1024', ARGON2_PASSES: '1' };
}

async function openServer(folder, apiPassword) {
  const external = process.env.TEST_DATABASE_URL;
  if (external) return { adminUrl: external, stop: async () => undefined };
  const passwords = { admin: randomBytes(12).toString('hex'), api: apiPassword };
  return startEmbeddedPostgres(folder, passwords, { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' });
}

export function urlOf(adminUrl, database) {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  return url.toString();
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
