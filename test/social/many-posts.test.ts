import pg from 'pg';
import { findNeighbours } from '../../src/modules/social/posts/post-neighbours.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { insertAccount } from '../support/social.js';

let database: TestDatabase;
let client: pg.Client;
let organisationId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  const [organisation] = await database.sql<{ id: string }>('SELECT id FROM organisations ORDER BY id LIMIT 1');
  organisationId = organisation?.id ?? '';
  client = new pg.Client(database.adminUrl);
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

const queueMany = `
  INSERT INTO social_media_posts (organisation_id, social_account_id, platform, content_type, content_url, caption,
    status, scheduled_for, next_attempt_at)
  SELECT organisation_id, id, platform, 'image', 'https://media.example/' || n || '.jpg', 'Post ' || n, 'queued',
         now() + n * interval '1 hour', now() + n * interval '1 hour'
    FROM social_media_accounts CROSS JOIN generate_series(1, $2::integer) n WHERE id = $1`;

const pause = `
  UPDATE social_media_posts SET waiting_reason = 'account-expired', next_attempt_at = NULL WHERE social_account_id = $1`;

describe('Many posts', () => {
  it('of an account are paused at once, also by a connection that has changed a single one before', async () => {
    const [few, many] = await Promise.all([
      insertAccount(database, organisationId),
      insertAccount(database, organisationId),
    ]);
    await client.query(queueMany, [few, 1]);
    await client.query(queueMany, [many, 500]);
    await client.query(pause, [few]);
    const begun = Date.now();
    expect((await client.query(pause, [many])).rowCount).toBe(500);
    expect(Date.now() - begun).toBeLessThan(5_000);
    const [recorded] = await database.sql(
      `SELECT count(*)::integer AS events FROM audit.events WHERE action = 'update' AND changes ? 'waiting_reason'`,
    );
    expect(recorded).toEqual({ events: 501 });
  }, 60_000);

  it('of an account are not all read to find those around a time', async () => {
    const accountId = await insertAccount(database, organisationId);
    await client.query(queueMany, [accountId, 5_000]);
    await client.query('ANALYZE social_media_posts');
    const [post] = await database.sql<{ id: string; scheduled_for: Date }>(
      'SELECT id, scheduled_for FROM social_media_posts WHERE social_account_id = $1 ORDER BY scheduled_for DESC LIMIT 1',
      [accountId],
    );
    expect(await planOf(findNeighbours, [organisationId, post?.id, post?.scheduled_for])).toMatch(
      /social_media_posts_social_account_id_idx[^}]*scheduled_for >=/,
    );
  });
});

/** As somebody who works there reads it. */
async function planOf(statement: string, values: unknown[]): Promise<string> {
  await client.query('BEGIN');
  await client.query(
    `SELECT set_config('app.user_id', (SELECT user_id::text FROM organisation_members WHERE organisation_id = $1 LIMIT 1), true)`,
    [organisationId],
  );
  await client.query('SET LOCAL ROLE authenticated');
  const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${statement}`, values);
  await client.query('ROLLBACK');
  return JSON.stringify(rows);
}
