import { rmSync } from 'node:fs';
import { withClient } from './global-setup.js';

/** Leaves nothing behind: not a database, not a server, not a file. */
export default async function tearDown() {
  const { adminUrl, template, folder } = JSON.parse(process.env.POLYCLINIC_TEST);
  await withClient(adminUrl, async (client) => {
    const { rows } = await client.query('SELECT datname FROM pg_database WHERE datname = $1 OR starts_with(datname, $2)', [
      template,
      `${template}_`,
    ]);
    for (const { datname } of rows) await client.query(`DROP DATABASE "${datname}" WITH (FORCE)`);
  });
  await globalThis.polyclinicServer.stop();
  rmSync(folder, { recursive: true, force: true });
}
