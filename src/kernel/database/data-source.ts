import type { Pool, PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import type { Config } from '../config/config.js';
import { UnsafeLogin } from './unsafe-login.js';

export const DATA_SOURCE = Symbol('DATA_SOURCE');

/**
 * Opens the pool of the API's login. `pipeline` lets the statements of a request's prelude leave in one flight.
 *
 * @throws UnsafeLogin in production when the login could pass row-level security by
 */
export async function openDataSource(config: Config): Promise<DataSource> {
  const { url, poolSize } = config.database;
  const dataSource = new DataSource({
    type: 'postgres',
    url,
    applicationName: 'polyclinic',
    extra: { pipeline: true, max: poolSize, connectionTimeoutMillis: 5_000, keepAlive: true },
  });
  await dataSource.initialize();
  if (config.environment === 'production') await refuseUnsafeLogin(dataSource);
  return dataSource;
}

/** The data source's pool, of which a connection may break at any time without taking the process with it. */
export function poolOf(dataSource: DataSource): Pool {
  const pool = (dataSource.driver as PostgresDriver).master as Pool;
  const guarded = new WeakSet<PoolClient>();
  pool.on('acquire', (client) => {
    if (guarded.has(client)) return;
    guarded.add(client);
    // While it is lent out nobody but its user listens; the user's statement fails with the same error.
    client.on('error', () => undefined);
  });
  return pool;
}

async function refuseUnsafeLogin(dataSource: DataSource): Promise<void> {
  const [login] = await dataSource.query<{ name: string; isUnsafe: boolean }[]>(
    `SELECT rolname AS name, rolsuper OR rolbypassrls OR pg_has_role(rolname, 'polyclinic_owner', 'MEMBER') AS "isUnsafe"
       FROM pg_roles WHERE rolname = session_user`,
  );
  if (!login?.isUnsafe) return;
  await dataSource.destroy();
  throw new UnsafeLogin(login.name);
}
