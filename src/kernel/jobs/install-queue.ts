import { runMigrations } from 'graphile-worker';
import pg from 'pg';

/**
 * Makes or brings up to date the queue's own schema, owned by `polyclinic_jobs`. The login of `url` must be allowed to
 * become that role.
 */
export async function installQueue(url: string): Promise<void> {
  const pgPool = new pg.Pool({ connectionString: url, max: 1, options: '-c role=polyclinic_jobs' });
  // graphile-worker listens for errors only while it works.
  pgPool.on('error', () => undefined);
  try {
    await runMigrations({ pgPool });
    // Its functions are executable by PUBLIC as they come; requests reach the queue through jobs.enqueue alone.
    await pgPool.query('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA graphile_worker FROM PUBLIC');
  } finally {
    await pgPool.end();
  }
}
