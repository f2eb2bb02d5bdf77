import pg from 'pg';
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
});
