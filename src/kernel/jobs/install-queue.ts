import { runMigrations } from 'graphile-worker';
import { openQueuePool } from './queue-pool.js';

/**
 * Makes or brings up to date the queue's own schema, owned by `polyclinic_jobs`. The login of `url` must be allowed to
 * become that role.
 */
export async function installQueue(url: string): Promise<void> {
  // A broken connection fails the statement that uses it, which is where it is reported.
  const pgPool = openQueuePool(url, 1, () => undefined);
  try {
    await runMigrations({ pgPool });
    // Its functions are executable by PUBLIC as they come; requests reach the queue through jobs.enqueue alone.
    await pgPool.query('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA graphile_worker FROM PUBLIC');
  } finally {
    await pgPool.end();
  }
}
