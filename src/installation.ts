import { type Config, loadConfig } from './kernel/config/config.js';
import { ConfigError } from './kernel/config/config-error.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './kernel/database/embedded-postgres.js';
import { migrateUp } from './kernel/database/migrations.js';

/** What a process stands on: its configuration, and where none was named, a database server of its own. */
export interface Installation {
  config: Config;
  embedded: EmbeddedPostgres | undefined;
}

/** Starts the embedded database where the configuration names no other. */
export async function openInstallation(config = loadConfig()): Promise<Installation> {
  if (!config.database.embedded) return { config, embedded: undefined };
  const embedded = await startEmbeddedPostgres(config.dataDir, config.secrets.embeddedDatabase);
  const database = {
    ...config.database,
    url: embedded.apiUrl,
    migrationUrl: embedded.adminUrl,
    workerUrl: embedded.apiUrl,
  };
  return { config: { ...config, database }, embedded };
}

/** Brings the database up to date; of several instances one does it and the others wait. */
export function bringUpToDate(installation: Installation): Promise<string[]> {
  return migrateUp(migratingUrl(installation));
}

/** The address of the login that may migrate. @throws ConfigError in production where none was named */
export function migratingUrl({ config: { database } }: Installation): string {
  if (database.migrationUrl !== undefined) return database.migrationUrl;
  throw new ConfigError(['MIGRATION_DATABASE_URL: production migrates with a login of its own; name it.']);
}
