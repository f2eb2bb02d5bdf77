import { demoAddress } from '../../src/demo/demo.js';
import { type Meta, startMeta } from '../support/meta.js';
import {
  becomes,
  connect,
  due,
  enqueue,
  hasten,
  isFailed,
  isPublished,
  postRow,
  waitsFor,
} from '../support/publishing.js';
import { type Service, startService } from '../support/service.js';
import { insertAccount, insertPost } from '../support/social.js';

let meta: Meta;
let service: Service;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: meta.variables });
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
afterEach(async () => {
  await meta.control('faults/clear');
  await meta.control('calls/clear');
});

const sql = <Row extends Record<string, unknown>>(text: string, values: unknown[] = []) =>
  service.database.sql<Row>(text, values);
const queue = (accountId: string, columns: Record<string, unknown> = {}) =>
  due(meta, service.database, accountId, columns);

/** A scan that does not wait for its minute. */
async function scan(): Promise<void> {
  await sql(`SELECT graphile_worker.add_job('social.find-due', '{}')`);
}

describe('A post that waits', () => {
  it('for a limit of its account holds up no other', async () => {
    const limited = await connect(meta, service, 'Limited');
    const other = await connect(meta, service, 'Unlimited');
    await meta.fault({ kind: 'page-rate-limited', objectId: limited.instagramId, times: 1_000, retryAfter: 600 });
    const waiting = await Promise.all(Array.from({ length: 30 }, () => queue(limited.instagram)));
    const begun = Date.now();
    const free = await queue(other.instagram, { caption: 'Not held up' });
    await becomes(service.database, free, isPublished);
    expect(Date.now() - begun).toBeLessThan(10_000);
    for (const id of waiting) {
      const post = await becomes(service.database, id, waitsFor('rate-limited'));
      expect(post.retry_count).toBe(0);
      expect(post.next_attempt_at?.getTime()).toBeGreaterThan(Date.now() + 500_000);
    }
  }, 30_000);

  it('because Meta is away is tried as often as it allows, each time later, and then fails', async () => {
    const account = await connect(meta, service, 'Away');
    const objectId = account.instagramId;
    await meta.fault({ on: 'instagram.container', kind: 'internal', objectId, times: 100 });
    const id = await queue(account.instagram, { max_retries: 2 });
    for (const tried of [1, 2]) {
      const post = await becomes(service.database, id, ({ retry_count }) => retry_count === tried);
      expect(post).toMatchObject({ status: 'queued', waiting_reason: 'meta-unavailable', error_code: null });
      await hasten(service.database, id);
    }
    const post = await becomes(service.database, id, isFailed);
    expect(post).toMatchObject({ error_code: 'meta-unavailable', retry_count: 2 });
    expect(await meta.count('instagram.container')).toBe(3);
  });
});

describe('A post whose account has expired', () => {
  it('in the very call that publishes was not published, and is paused as well', async () => {
    const account = await connect(meta, service, 'Revoked between');
    await meta.fault({ on: 'instagram.publish', kind: 'token-revoked', objectId: account.instagramId });
    const id = await queue(account.instagram);
    const post = await becomes(service.database, id, waitsFor('account-expired'));
    expect(post).toMatchObject({ publish_started_at: null, next_attempt_at: null });
    expect(await meta.published(account.instagramId)).toEqual([]);
  });

  it('before its time is not even tried', async () => {
    const account = await connect(meta, service, 'Expired before');
    await sql(`UPDATE social_media_accounts SET status = 'expired' WHERE id = $1`, [account.page]);
    await meta.control('calls/clear');
    const id = await queue(account.page);
    await becomes(service.database, id, waitsFor('account-expired'));
    expect(await meta.calls()).toEqual([]);
  });
});

describe('A post whose account has tokens that do not open', () => {
  it('waits for an hour instead of asking again and again', async () => {
    const account = await connect(meta, service, 'Unopened');
    const unopened = await insertAccountOf(account.page);
    const id = await queue(unopened);
    const waiting = await becomes(service.database, id, waitsFor('account-expired'));
    expect(waiting.next_attempt_at?.getTime()).toBeGreaterThan(Date.now() + 600_000);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await postRow(service.database, id)).toMatchObject({ attempt_id: waiting.attempt_id, status: 'queued' });
  });
});

describe('A post that Meta refuses', () => {
  it.each([
    ['permission', 'meta-permission-missing', 'error 10'],
    ['refused', 'meta-refused', 'error 100'],
  ] as const)('for %s fails at once, with Graph’s number for people', async (kind, code, words) => {
    const account = await connect(meta, service, `Refused ${kind}`);
    await meta.fault({ on: 'page.photo', kind, objectId: account.pageId });
    const id = await queue(account.page);
    const post = await becomes(service.database, id, isFailed);
    expect(post).toMatchObject({ error_code: code, publish_started_at: null, retry_count: 0 });
    expect(post.error_message).toContain(words);
    const tokens = await meta.tokens();
    expect(tokens.filter((token) => JSON.stringify(post).includes(token))).toEqual([]);
  });
});

describe('The address of a published post', () => {
  it('that cannot be fetched undoes nothing, and is fetched later', async () => {
    const account = await connect(meta, service, 'Addressless');
    await meta.fault({ on: 'media', kind: 'internal', times: 3 });
    const id = await queue(account.instagram);
    const post = await becomes(service.database, id, ({ status }) => status === 'published');
    expect(post).toMatchObject({ platform_url: null, error_code: null });
    await meta.control('faults/clear');
    await sql(`SELECT graphile_worker.add_job('social.find-permalinks', '{}')`);
    const addressed = await becomes(service.database, id, isPublished);
    expect(addressed.platform_url).not.toContain(addressed.platform_post_id);
  });
});

describe('A worker', () => {
  it('leaves alone what is not due, not queued, or on the page already', async () => {
    const account = await connect(meta, service, 'Left alone');
    // What earlier tests' posts are still asked for is not counted.
    const running = 'SELECT FROM graphile_worker.jobs WHERE locked_at IS NOT NULL';
    await until(async () => (await sql(running)).length === 0);
    await meta.control('calls/clear');
    const later = { status: 'queued', scheduled_for: new Date(Date.now() + 3_600_000) };
    const ids = [
      await insertPost(service.database, account.page, later),
      await insertPost(service.database, account.page),
      await insertPost(service.database, account.page, { status: 'published' }),
      await insertPost(service.database, account.page, { status: 'failed' }),
      await insertPost(service.database, account.page, { status: 'deleted' }),
    ];
    for (const id of ids) await enqueue(service.database, id);
    await until(async () => (await waitingJobs()) === 0);
    expect(await meta.calls()).toEqual([]);
    const states = await Promise.all(ids.map(async (id) => (await postRow(service.database, id)).status));
    expect(states).toEqual(['queued', 'draft', 'published', 'failed', 'deleted']);
  });

  it('publishes once, however many jobs name the post', async () => {
    const account = await connect(meta, service, 'Many jobs');
    const id = await insertPost(service.database, account.page, { status: 'queued', content_url: meta.media('a.jpg') });
    await sql(
      `SELECT graphile_worker.add_job('social.publish-post', json_build_object('postId', $1::text))
         FROM generate_series(1, 12)`,
      [id],
    );
    await becomes(service.database, id, isPublished);
    await until(async () => (await waitingJobs()) === 0);
    expect(await meta.published(account.pageId)).toHaveLength(1);
  });

  it('finds posts whose job was lost, and those of a worker that was killed', async () => {
    const account = await connect(meta, service, 'Lost jobs');
    const overdue = { status: 'queued', scheduled_for: new Date(Date.now() - 120_000) };
    const dead = { status: 'processing', claimed_until: new Date(Date.now() - 10_000) };
    const medium = { content_url: meta.media('a.jpg') };
    const ids = [
      await insertPost(service.database, account.page, { ...overdue, ...medium, caption: 'Without a job' }),
      await insertPost(service.database, account.instagram, { ...dead, ...medium, caption: 'Of a dead worker' }),
    ];
    await scan();
    for (const id of ids) await becomes(service.database, id, isPublished);
  });

  it('publishes a scheduled post within thirty seconds of its time', async () => {
    const account = await connect(meta, service, 'Punctual');
    const token = await service.tokenOf(demoAddress('owner', 'northside'));
    const [row] = await sql<{ organisation_id: string }>(
      'SELECT organisation_id FROM social_media_accounts WHERE id = $1',
      [account.instagram],
    );
    const path = `/organisations/${row?.organisation_id}/social/posts`;
    const body = {
      ...{ socialAccountId: account.instagram, contentType: 'image', postType: 'feed' },
      ...{ contentUrl: meta.media('photo.jpg'), caption: 'On time' },
    };
    const made = await service.call('POST', path, { token, body });
    expect(made.status).toBe(201);
    const scheduledFor = new Date(Date.now() + 3_000).toISOString();
    const scheduled = await service.call('POST', `${path}/${made.body.id}/schedule`, { token, body: { scheduledFor } });
    expect(scheduled.status).toBe(200);
    await becomes(service.database, made.body.id, isPublished);
    const [published] = await meta.published(account.instagramId);
    const late = Date.parse(published?.at ?? '') - Date.parse(scheduledFor);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(30_000);
  });

  it('asks for due posts over the indexes that hold only those', async () => {
    const plan = async (statement: string) => JSON.stringify(await sql(`EXPLAIN (FORMAT JSON) ${statement}`));
    await sql('SET enable_seqscan = off');
    const due = 'SELECT id FROM social_media_posts WHERE';
    expect(
      await plan(`${due} status = 'queued' AND next_attempt_at <= now() ORDER BY next_attempt_at LIMIT 500`),
    ).toContain('social_media_posts_next_attempt_at_idx');
    expect(
      await plan(`${due} status = 'processing' AND claimed_until <= now() ORDER BY claimed_until LIMIT 500`),
    ).toContain('social_media_posts_claimed_until_idx');
  });
});

/** Another account of the same organisation, whose token was sealed with a key that is lost. */
async function insertAccountOf(accountId: string): Promise<string> {
  const [row] = await sql<{ organisation_id: string }>(
    'SELECT organisation_id FROM social_media_accounts WHERE id = $1',
    [accountId],
  );
  return insertAccount(service.database, row?.organisation_id ?? '');
}

async function waitingJobs(): Promise<number> {
  const [row] = await sql<{ jobs: string }>(
    `SELECT count(*) AS jobs FROM graphile_worker.jobs WHERE task_identifier = 'social.publish-post' AND run_at <= now()`,
  );
  return Number(row?.jobs);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${isSo}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
