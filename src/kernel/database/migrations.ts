import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { DataSource, type MigrationInterface } from 'typeorm';
import { installQueue } from '../jobs/install-queue.js';
import { ensureClusterRoles } from './cluster-roles.js';

type MigrationClass = new () => MigrationInterface;

/** Any number will do, as long as every instance locks the same one. */
const migrationLock = 7_305_146_821;

const migrationsFolder = join(import.meta.dirname, '../../../migrations');

export interface MigrationStatus {
  name: string;
  isApplied: boolean;
}

/**
 * Brings the database up to date: roles, the job queue's own schema, then our migrations, each in its transaction as
 * `polyclinic_owner`. Under an advisory lock: of two instances that start at once, one migrates and the other waits.
 *
 * @returns the names of the migrations that were applied
 */
export async function migrateUp(url: string): Promise<string[]> {
  return underLock(url, async (client) => {
    await ensureClusterRoles(client);
    await installQueue(url);
    return withDataSource(url, async (dataSource) => {
      const applied = await dataSource.runMigrations({ transaction: 'each' });
      return applied.map(({ name }) => name);
    });
  });
}

/** Undoes the latest migrations, newest first. */
export async function migrateDown(url: string, count = 1): Promise<void> {
  await underLock(url, () =>
    withDataSource(url, async (dataSource) => {
      for (let step = 0; step < count; step += 1) await dataSource.undoLastMigration({ transaction: 'each' });
    }),
  );
}

/** Every migration that this version knows, in order, and whether the database has it. */
export async function migrationStatus(url: string): Promise<MigrationStatus[]> {
  const client = await connect(url);
  try {
    const names = await knownMigrations();
    const applied = await appliedMigrations(client);
    return names.map((name) => ({ name, isApplied: applied.has(name) }));
  } finally {
    await client.end();
  }
}

/** The names of all migrations of this version, in order. */
export async function knownMigrations(): Promise<string[]> {
  return (await loadMigrations()).map(({ name }) => name);
}

async function appliedMigrations(client: pg.Client): Promise<Set<string>> {
  const { rows } = await client.query<{ exists: boolean }>(
    `SELECT to_regclass('app_migrations.applied') IS NOT NULL AS exists`,
  );
  if (!rows[0]?.exists) return new Set();
  const { rows: applied } = await client.query<{ name: string }>('SELECT name FROM app_migrations.applied');
  return new Set(applied.map(({ name }) => name));
}

async function underLock<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(url);
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    return await work(client);
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  return client;
}

async function withDataSource<T>(url: string, work: (dataSource: DataSource) => Promise<T>): Promise<T> {
  const dataSource = new DataSource({
    type: 'postgres',
    url,
    schema: 'app_migrations',
    migrationsTableName: 'applied',
    migrations: await loadMigrations(),
    // The owner's role from the first statement on: whatever a migration makes belongs to polyclinic_owner.
    extra: { max: 1, options: '-c role=polyclinic_owner' },
  });
  await dataSource.initialize();
  try {
    await dataSource.query('CREATE SCHEMA IF NOT EXISTS app_migrations');
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

/** All modules' migrations in one order: TypeORM sorts by the 13 digits that end the class name. */
async function loadMigrations(): Promise<MigrationClass[]> {
  const files = await readdir(migrationsFolder, { recursive: true });
  const found = files.filter((file) => /[\\/]\d{13}-[\w-]+\.(js|ts)$/.test(file) && !file.startsWith('support'));
  const modules = await Promise.all(found.map((file) => import(pathToFileURL(join(migrationsFolder, file)).href)));
  const classes = modules.flatMap((module: Record<string, MigrationClass>) => Object.values(module));
  return classes.sort((one, other) => stampOf(one) - stampOf(other));
}

function stampOf(migration: MigrationClass): number {
  return Number(migration.name.slice(-13));
}
