import pg from 'pg';

/**
 * Connections of the queue's owner. They start as `polyclinic_jobs` and touch nothing but the queue.
 *
 * @param onLost told of a connection that broke while nobody used it
 */
export function openQueuePool(url: string, max: number, onLost: (error: Error) => void): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    options: '-c role=polyclinic_jobs',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  pool.on('error', onLost);
  // graphile-worker asks for this one too: a connection may break while it is being taken.
  pool.on('connect', (client) => client.on('error', onLost));
  return pool;
}
