import { randomBytes } from 'node:crypto';
import pg from 'pg';

interface TestServer {
  adminUrl: string;
  apiPassword: string;
  template: string;
  folder: string;
}

export interface TestDatabase {
  /** Superuser: sees and does everything, for arranging and for looking behind the policies. */
  adminUrl: string;
  /** `polyclinic_api`, as the service logs in. */
  apiUrl: string;
  /** As superuser, one statement. */
  sql<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

export function testServer(): TestServer {
  const described = process.env.POLYCLINIC_TEST;
  if (!described) throw new Error('Run the tests with npm test: its set-up starts the database server.');
  return JSON.parse(described) as TestServer;
}

/** A database of the test's own: a clone of the migrated one with the demo's people, or an empty one. */
export async function createTestDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const { adminUrl, apiPassword, template } = testServer();
  const name = `${template}_${randomBytes(6).toString('hex')}`;
  await cloneWhenFree(adminUrl, name, empty ? 'template0' : template);
  const own = addressOf(adminUrl, name);
  const pool = new pg.Pool({ connectionString: own, max: 2 });
  pool.on('error', () => undefined);
  return {
    adminUrl: own,
    apiUrl: addressOf(adminUrl, name, { user: 'polyclinic_api', password: apiPassword }),
    sql: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      (await pool.query<Row>(text, values)).rows,
    drop: async () => {
      await pool.end();
      await asAdmin(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** CREATE DATABASE refuses while another clone is being taken from the same template. */
async function cloneWhenFree(adminUrl: string, name: string, template: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await asAdmin(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`);
    } catch (error) {
      if (attempt >= 100 || (error as { code?: string }).code !== '55006') throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function addressOf(adminUrl: string, database: string, login?: { user: string; password: string }): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  if (login) {
    url.username = login.user;
    url.password = login.password;
  }
  return url.toString();
}
