import { randomBytes } from 'node:crypto';
import { seedDemo } from '../../dist/src/demo/demo.js';
import { loadConfig } from '../../dist/src/kernel/config/config.js';
import { migrateUp } from '../../dist/src/kernel/database/migrations.js';
import { filesWithoutProgram } from './programs.ts';
import { openTestServer, withClient } from './test-server.js';

/** Roles belong to the server, so runs that share an external one must agree on this. */
const apiPassword = 'polyclinic-test';

/** One server for the run, and on it one migrated database with the demo's people, which each test file clones. */
// biome-ignore lint/style/noDefaultExport: Jest takes the default export.
export default async function setUp() {
  reportLeftOut();
  const template = `polyclinic_template_${randomBytes(4).toString('hex')}`;
  const server = await openTestServer(template);
  globalThis.polyclinicTestServer = server;
  closeOnSignals(server);
  const { adminUrl, folder } = server;
  try {
    await makeTemplate(server, template);
  } catch (error) {
    await server.close();
    throw error;
  }
  // Jest's workers start after this and inherit it.
  process.env.POLYCLINIC_TEST = JSON.stringify({ adminUrl, apiPassword, template, folder });
}

/** On a machine of somebody's the rest is worth running; where changes are judged nothing may be left out. */
function reportLeftOut() {
  const lines = filesWithoutProgram().map(
    ([file, program]) => `${file} is left out: install the Debian package ${program}.`,
  );
  if (lines.length > 0 && process.env.CI) throw new Error(lines.join('\n'));
  for (const line of lines) process.stderr.write(`${line}\n`);
}

async function makeTemplate({ adminUrl, folder }, template) {
  const url = new URL(adminUrl);
  url.pathname = `/${template}`;
  await withClient(adminUrl, (client) => client.query(`CREATE DATABASE ${template}`));
  await migrateUp(url.href);
  await withClient(adminUrl, (client) => client.query(`ALTER ROLE polyclinic_api PASSWORD '${apiPassword}'`));
  const cheapHashes = { ARGON2_MEMORY_KIB: '1024', ARGON2_PASSES: '1' };
  await seedDemo(loadConfig({ NODE_ENV: 'test', DATA_DIR: folder, DATABASE_URL: url.href, ...cheapHashes }));
}

/** Jest itself just ends when it is interrupted. */
function closeOnSignals(server) {
  const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  for (const [signal, code] of Object.entries(exitCodes)) {
    process.once(signal, () => server.close().finally(() => process.exit(code)));
  }
}
