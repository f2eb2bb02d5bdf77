import { type Client, escapeIdentifier } from 'pg';

/**
 * The roles of tenancy.md. They belong to the cluster and not to one database, so no migration makes or drops them:
 * several databases of one server share them.
 */
const roles: Record<string, string> = {
  polyclinic_owner: 'NOLOGIN',
  polyclinic_jobs: 'NOLOGIN',
  polyclinic_api: 'LOGIN NOINHERIT',
  anon: 'NOLOGIN',
  authenticated: 'NOLOGIN',
  super_admin: 'NOLOGIN',
  service_role: 'NOLOGIN',
};

const requestRoles = ['anon', 'authenticated', 'super_admin', 'service_role'];

/**
 * Creates what is missing of the roles and lets them own this database's parts. Safe to repeat and to run from two
 * instances at once (the caller holds the migration lock). The client must be a superuser or have CREATEROLE.
 */
export async function ensureClusterRoles(client: Client): Promise<void> {
  for (const [name, attributes] of Object.entries(roles)) await ensureRole(client, name, attributes);
  await client.query(`GRANT ${requestRoles.join(', ')}, polyclinic_jobs TO polyclinic_api`);
  await ensureMembership(client);
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  const database = escapeIdentifier(rows[0]?.name ?? '');
  await client.query(`GRANT CONNECT, CREATE ON DATABASE ${database} TO polyclinic_owner, polyclinic_jobs`);
  await client.query(`GRANT CONNECT ON DATABASE ${database} TO polyclinic_api`);
  await client.query(`GRANT USAGE, CREATE ON SCHEMA public TO polyclinic_owner`);
  await client.query(`REVOKE CREATE ON SCHEMA public FROM PUBLIC`);
}

async function ensureRole(client: Client, name: string, attributes: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
  if (rowCount !== 0) return;
  // Two databases of one cluster may be migrated at once, each under its own lock.
  await client.query(
    `DO $$ BEGIN CREATE ROLE ${name} ${attributes}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
  );
}

/** A login that is no superuser must belong to the owners, and to the API's login when it serves both. */
async function ensureMembership(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string; isSuperuser: boolean }>(
    'SELECT rolname AS name, rolsuper AS "isSuperuser" FROM pg_roles WHERE rolname = session_user',
  );
  const [login] = rows;
  if (!login || login.isSuperuser || login.name === 'polyclinic_api') return;
  await client.query(`GRANT polyclinic_owner, polyclinic_jobs, polyclinic_api TO ${escapeIdentifier(login.name)}`);
}
