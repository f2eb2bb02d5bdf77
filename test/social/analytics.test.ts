import { demoAddress } from '../../src/demo/demo.js';
import { MetaPages } from '../../src/integrations/meta/meta-pages.js';
import { AnalyticsJobs } from '../../src/modules/social/analytics/analytics.jobs.js';
import { type Meta, startMeta } from '../support/meta.js';
import {
  type ConnectedPage,
  connectPage,
  type GivenPost,
  insertPublished,
  publishOnInstagram,
  publishOnPage,
} from '../support/published-posts.js';
import { type Service, startService } from '../support/service.js';

let meta: Meta;
let service: Service;
let organisationId: string;
let page: ConnectedPage;
let jobs: AnalyticsJobs;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: meta.variables });
  jobs = service.application.get(AnalyticsJobs, { strict: false });
  const token = await service.tokenOf(demoAddress('viewer', 'northside'));
  organisationId = (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
let pages = 0;
beforeEach(async () => {
  await meta.control('faults/clear', {});
  await service.database.sql('DELETE FROM social_media_accounts; DELETE FROM graphile_worker._private_jobs');
  // A page of its own for each test: the client remembers whom Meta asked to slow down.
  pages += 1;
  page = await connectPage(service, meta, organisationId, `Practice${pages}`);
  await meta.control('calls/clear', {});
});

const insert = (posts: GivenPost[]) => insertPublished(service.database, page.pageAccountId, posts);
const read = (accountId = page.pageAccountId) => jobs.read({ accountId });
/** Snapshots of each post, in the order in which the posts were made. */
const snapshots = async (ids: string[]) => {
  const rows = await service.database.sql<{ count: number }>(
    `SELECT (SELECT count(*)::int FROM social_media_analytics_snapshots s WHERE s.post_id = g.id) AS count
       FROM unnest($1::uuid[]) WITH ORDINALITY AS g (id, position) ORDER BY position`,
    [ids],
  );
  return rows.map(({ count }) => count);
};
const postOf = async (id: string | undefined) => {
  const rows = await service.database.sql(
    `SELECT likes_count::float8 AS likes, comments_count::float8 AS comments, shares_count::float8 AS shares,
            saves_count::float8 AS saves, reach::float8, impressions::float8, plays_count::float8 AS plays,
            engagement_rate::text AS rate, analytics_available AS available, last_analytics_sync IS NOT NULL AS asked
       FROM social_media_posts WHERE id = $1`,
    [id],
  );
  return rows[0];
};
const accountOf = async (id: string) => {
  const [row] = await service.database.sql<{ status: string; synced: boolean; waits: number }>(
    `SELECT status, last_synced_at IS NOT NULL AS synced,
            extract(epoch FROM analytics_wait_until - now())::int AS waits FROM social_media_accounts WHERE id = $1`,
    [id],
  );
  return row;
};
const waitingJobs = () =>
  service.database.sql<{ account: string; wait: number }>(
    `SELECT payload ->> 'accountId' AS account, extract(epoch FROM j.run_at - now())::int AS wait
       FROM graphile_worker._private_jobs j JOIN graphile_worker._private_tasks t ON t.id = j.task_id
      WHERE t.identifier = 'social.read-account-analytics'`,
  );
/** As a day later: all that was, was so much earlier. */
const pass = (interval: string) =>
  service.database.sql(
    `UPDATE social_media_posts SET last_analytics_sync = last_analytics_sync - $1::interval,
            published_at = published_at - $1::interval WHERE status = 'published'`,
    [interval],
  );
const batches = () => meta.count('batch');

describe('The analytics of a post', () => {
  it('are read hourly for two days, daily for thirty, weekly for a year, and then no more', async () => {
    const ids = await publishOnPage(service, page, 9);
    const classes: Omit<GivenPost, 'platformPostId'>[] = [
      { age: '1 hour' },
      { age: '1 hour', syncedAgo: '30 minutes' },
      { age: '47 hours', syncedAgo: '59 minutes' },
      { age: '49 hours', syncedAgo: '2 hours' },
      { age: '49 hours', syncedAgo: '24 hours' },
      { age: '29 days', syncedAgo: '23 hours' },
      { age: '31 days', syncedAgo: '2 days' },
      { age: '364 days', syncedAgo: '7 days' },
      { age: '366 days', syncedAgo: '8 days' },
    ];
    const posts = await insert(classes.map((given, index) => ({ ...given, platformPostId: ids[index] ?? '' })));
    await read();
    expect(await snapshots(posts)).toEqual([1, 0, 1, 0, 1, 0, 0, 1, 0]);
    expect(await accountOf(page.pageAccountId)).toMatchObject({ status: 'active', synced: true, waits: null });
  });

  it('hold what Meta counts of its kind, and keep each state that they had', async () => {
    const text = (await publishOnPage(service, page, 1))[0] ?? '';
    const imageUrl = meta.media('photo.jpg');
    const videoUrl = meta.media('clip.mp4');
    const picture = await publishOnInstagram(service, page, { kind: 'image', imageUrl, caption: 'A picture' });
    const reel = await publishOnInstagram(service, page, { kind: 'reel', videoUrl, caption: 'A reel' });
    const counted = { likes: 30, comments: 8, shares: 4, saves: 3, reach: 1000, impressions: 1500, plays: 1200 };
    for (const objectId of [text, picture, reel]) await meta.control('insights', { objectId, ...counted });
    const [onPage] = await insert([{ platformPostId: text }]);
    const [image, video] = await insertPublished(service.database, page.instagramAccountId, [
      { platformPostId: picture },
      { platformPostId: reel, postType: 'reel', contentType: 'video' },
    ]);
    await read();
    await read(page.instagramAccountId);
    const common = { likes: 30, comments: 8, reach: 1000, impressions: 1500, available: true };
    expect(await postOf(onPage)).toMatchObject({ ...common, saves: 0, plays: 0 });
    expect(await postOf(image)).toMatchObject({ ...common, shares: 4, saves: 3, plays: 0, rate: '4.50' });
    expect(await postOf(video)).toMatchObject({ ...common, shares: 4, saves: 3, plays: 1500, rate: '4.50' });

    await meta.control('insights', { objectId: picture, likes: 60 });
    await pass('1 hour');
    await read(page.instagramAccountId);
    const rows = await service.database.sql(
      `SELECT likes_count::int AS likes, engagement_rate::text AS rate, hours_since_published::float8 AS hours
         FROM social_media_analytics_snapshots WHERE post_id = $1 ORDER BY snapshot_at`,
      [image],
    );
    expect(rows).toMatchObject([
      { likes: 30, rate: '4.50', hours: 1 },
      { likes: 60, rate: '7.50', hours: 2 },
    ]);
  });

  it('are those of a page’s video also where only the post that shows it is known', async () => {
    const given = { fileUrl: meta.media('clip.mp4'), description: 'A clip' };
    const client = service.application.get(MetaPages, { strict: false });
    const { id } = await client.publishVideo(page.pageToken, page.pageId, given);
    const [{ postId } = {}] = (await meta.published(page.pageId)).filter((each) => each.id === id);
    await meta.control('insights', { objectId: id, likes: 12, reach: 200, impressions: 250, plays: 240 });
    const posts = await insert([id, postId ?? ''].map((platformPostId) => ({ platformPostId, contentType: 'video' })));
    await read();
    expect(await postOf(posts[0])).toMatchObject({ likes: 12, reach: 200, plays: 240, rate: '6.00' });
    expect(await postOf(posts[1])).toMatchObject({ likes: 12, reach: 200, impressions: 250, rate: '6.00' });
  });

  it('take any number: an engagement above 999.99 percent, negative counts, and such as no client could read', async () => {
    const ids = await publishOnPage(service, page, 3);
    const posts = await insert(ids.map((platformPostId) => ({ platformPostId })));
    await meta.control('insights', { objectId: ids[0], likes: 400, comments: 100, reach: 3 });
    await meta.control('insights', { objectId: ids[1], likes: -7, reach: -1 });
    await meta.control('insights', { objectId: ids[2], likes: 1e19, reach: 1 });
    await read();
    expect(await postOf(posts[0])).toMatchObject({ likes: 400, rate: '16666.67' });
    expect(await postOf(posts[1])).toMatchObject({ likes: 0, reach: 0, rate: '0.00' });
    expect(await postOf(posts[2])).toMatchObject({ likes: Number.MAX_SAFE_INTEGER, rate: '900719925474099100.00' });
    expect(await snapshots(posts)).toEqual([1, 1, 1]);
  });

  it('end with it: Meta is not asked any more about what was deleted there', async () => {
    const [stays, goes] = await publishOnPage(service, page, 2);
    const posts = await insert([{ platformPostId: stays ?? '' }, { platformPostId: goes ?? '' }]);
    await meta.fault({ on: 'post', kind: 'not-found', objectId: goes ?? '' });
    await read();
    expect([await postOf(posts[0]), await postOf(posts[1])]).toMatchObject([{ available: true }, { available: false }]);
    expect(await snapshots(posts)).toEqual([1, 0]);
    await pass('2 hours');
    await meta.control('calls/clear', {});
    await read();
    expect(await snapshots(posts)).toEqual([2, 0]);
    expect((await meta.calls()).filter(({ objectId }) => objectId === goes)).toEqual([]);
  });

  it('do not end where Meta shows us nothing at all: the page may only be hidden from us', async () => {
    const ids = await publishOnPage(service, page, 2);
    const posts = await insert(ids.map((platformPostId) => ({ platformPostId })));
    await meta.fault({ on: 'post', kind: 'not-found', times: 2 });
    await read();
    expect([await postOf(posts[0]), await postOf(posts[1])]).toMatchObject([
      { available: true, asked: true },
      { available: true, asked: true },
    ]);
    await pass('1 hour');
    await read();
    expect(await snapshots(posts)).toEqual([1, 1]);
  });

  it('of a story come once enough people saw it, and stay as they were when its day is over', async () => {
    const story = { kind: 'story' as const, imageUrl: meta.media('photo.jpg') };
    const objectId = await publishOnInstagram(service, page, story);
    const [post] = await insertPublished(service.database, page.instagramAccountId, [
      { platformPostId: objectId, postType: 'story' },
    ]);
    await read(page.instagramAccountId);
    expect(await accountOf(page.instagramAccountId)).toMatchObject({ status: 'active', synced: true });
    expect(await postOf(post)).toMatchObject({ available: true, reach: 0 });
    await meta.control('insights', { objectId, reach: 40, impressions: 44 });
    await pass('1 hour');
    await read(page.instagramAccountId);
    expect(await postOf(post)).toMatchObject({ reach: 40, impressions: 44 });
    await meta.control('clock', { offsetSeconds: 25 * 3600 });
    try {
      await pass('25 hours');
      await read(page.instagramAccountId);
      await pass('25 hours');
      await read(page.instagramAccountId);
    } finally {
      await meta.control('clock', { offsetSeconds: 0 });
    }
    expect(await postOf(post)).toMatchObject({ reach: 40, impressions: 44, available: false });
    expect(await snapshots([post ?? ''])).toEqual([2]);
  });
});

describe('Reading an account', () => {
  it('takes all its posts, fifty to a call, and one snapshot of each however often it runs', async () => {
    const ids = await publishOnPage(service, page, 120);
    const posts = await insert(ids.map((platformPostId, index) => ({ platformPostId, age: `${index + 1} minutes` })));
    await meta.control('calls/clear', {});
    await Promise.all([read(), read()]);
    await read();
    expect(new Set(await snapshots(posts))).toEqual(new Set([1]));
    expect(await batches()).toBeLessThanOrEqual(6);
    await pass('1 hour');
    await meta.control('calls/clear', {});
    await read();
    expect(await batches()).toBe(3);
    expect(new Set(await snapshots(posts))).toEqual(new Set([2]));
  });

  it('goes on past a post that fails, which comes again with the next hour', async () => {
    const ids = await publishOnPage(service, page, 3);
    const posts = await insert(ids.map((platformPostId) => ({ platformPostId })));
    await meta.fault({ on: 'post', kind: 'internal', objectId: ids[1] ?? '' });
    await read();
    expect(await snapshots(posts)).toEqual([1, 0, 1]);
    expect(await postOf(posts[1])).toMatchObject({ asked: false, available: true });
    expect(await accountOf(page.pageAccountId)).toMatchObject({ synced: true, waits: null });
    await read();
    expect(await snapshots(posts)).toEqual([1, 1, 1]);
  });

  it('stops where its token is not taken any more, keeps what came before, and goes on there once it is', async () => {
    const ids = await publishOnPage(service, page, 60);
    const posts = await insert(ids.map((platformPostId, index) => ({ platformPostId, age: `${index + 1} minutes` })));
    await meta.fault({ on: 'batch', kind: 'token-expired', after: 1 });
    await read();
    const read1 = await snapshots(posts);
    expect([read1.slice(0, 50), read1.slice(50)].map((part) => new Set(part))).toEqual([new Set([1]), new Set([0])]);
    expect(await accountOf(page.pageAccountId)).toMatchObject({ status: 'expired', synced: false });
    await read();
    await jobs.findDue();
    expect([await batches(), await waitingJobs()]).toEqual([2, []]);
    await service.database.sql(`UPDATE social_media_accounts SET status = 'active' WHERE id = $1`, [
      page.pageAccountId,
    ]);
    await read();
    expect(new Set(await snapshots(posts))).toEqual(new Set([1]));
    expect(await batches()).toBe(3);
  });

  it('hears of a token that is not taken also from within a batch', async () => {
    const ids = await publishOnPage(service, page, 2);
    const posts = await insert(ids.map((platformPostId, index) => ({ platformPostId, age: `${index + 1} minutes` })));
    await meta.fault({ on: 'post', kind: 'token-revoked', objectId: ids[1] ?? '' });
    await read();
    expect(await snapshots(posts)).toEqual([1, 0]);
    expect(await accountOf(page.pageAccountId)).toMatchObject({ status: 'expired' });
  });

  it('waits where Meta asks to slow down, for as long as it says, while other accounts go on', async () => {
    const ids = await publishOnPage(service, page, 60);
    const posts = await insert(ids.map((platformPostId, index) => ({ platformPostId, age: `${index + 1} minutes` })));
    const picture = { kind: 'image' as const, imageUrl: meta.media('photo.jpg'), caption: 'A picture' };
    const [other] = await insertPublished(service.database, page.instagramAccountId, [
      { platformPostId: await publishOnInstagram(service, page, picture) },
    ]);
    await meta.fault({ on: 'batch', kind: 'page-rate-limited', retryAfter: 1800, after: 1 });
    await read();
    expect((await snapshots(posts)).filter((count) => count === 1)).toHaveLength(50);
    const { waits = 0 } = (await accountOf(page.pageAccountId)) ?? {};
    expect(waits).toBeGreaterThanOrEqual(1790);
    expect(waits).toBeLessThanOrEqual(2200);
    expect(await waitingJobs()).toMatchObject([{ account: page.pageAccountId }]);

    // Neither the clock nor a job that comes too early asks for it; the clock takes up the other account alone.
    await jobs.findDue();
    expect((await waitingJobs()).map(({ account, wait }) => [account, wait > 600]).sort()).toEqual(
      [
        [page.pageAccountId, true],
        [page.instagramAccountId, false],
      ].sort(),
    );
    await meta.control('calls/clear', {});
    await read();
    expect(await batches()).toBe(0);
    await read(page.instagramAccountId);
    expect(await snapshots([other ?? ''])).toEqual([1]);
  });

  it('comes back by itself when Meta was away', async () => {
    const ids = await publishOnPage(service, page, 1);
    const posts = await insert(ids.map((platformPostId) => ({ platformPostId })));
    await meta.fault({ on: 'batch', kind: 'internal', times: 3 });
    await read();
    expect(await snapshots(posts)).toEqual([0]);
    expect(await waitingJobs()).toMatchObject([{ account: page.pageAccountId }]);
    const { waits = 0 } = (await accountOf(page.pageAccountId)) ?? {};
    expect(waits).toBeGreaterThan(600);
    await service.database.sql('UPDATE social_media_accounts SET analytics_wait_until = now()');
    await read();
    expect(await snapshots(posts)).toEqual([1]);
    expect(await accountOf(page.pageAccountId)).toMatchObject({ waits: null, synced: true });
  });

  it('asks nothing for accounts without a post that is due, and leaves deleted and unpublished ones alone', async () => {
    const ids = await publishOnPage(service, page, 2);
    const posts = await insert(ids.map((platformPostId) => ({ platformPostId })));
    await service.database.sql(`UPDATE social_media_posts SET status = 'deleted' WHERE id = $1`, [posts[0]]);
    await service.database.sql(`UPDATE social_media_posts SET last_analytics_sync = now() WHERE id = $1`, [posts[1]]);
    await jobs.findDue();
    expect(await waitingJobs()).toEqual([]);
    await pass('1 hour');
    await jobs.findDue();
    expect(await waitingJobs()).toMatchObject([{ account: page.pageAccountId }]);
    await read();
    expect(await snapshots(posts)).toEqual([0, 1]);
  });

  it('leaves no trace in the audit log, which people’s changes would drown in', async () => {
    const ids = await publishOnPage(service, page, 1);
    await insert(ids.map((platformPostId) => ({ platformPostId })));
    const count = async () =>
      (await service.database.sql<{ count: string }>('SELECT count(*) FROM audit.events'))[0]?.count;
    const before = await count();
    await read();
    expect(await count()).toBe(before);
  });
});
