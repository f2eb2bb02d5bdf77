import { randomUUID } from 'node:crypto';
import { demoAddress } from '../../src/demo/demo.js';
import { insertPublished } from '../support/published-posts.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { insertAccount, insertPost } from '../support/social.js';

let service: Service;
const organisations = new Map<string, string>();
let accountId: string;
let pageId: string;

beforeAll(async () => {
  service = await startService();
  for (const slug of ['northside', 'southbank']) {
    const { body } = await service.call('GET', '/clinics', { token: await as('viewer', slug) });
    organisations.set(slug, body.data[0].organisationId);
  }
});
afterAll(() => service.stop());
beforeEach(async () => {
  await service.database.sql('DELETE FROM social_media_accounts');
  const northside = organisations.get('northside') ?? '';
  accountId = await insertAccount(service.database, northside, { platform: 'instagram' });
  pageId = await insertAccount(service.database, northside);
});

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];
async function get(path: string, role = 'viewer', slug = 'northside'): Promise<Answer> {
  return service.call('GET', `/organisations/${organisations.get('northside')}/social/posts/${path}`, {
    token: await as(role, slug),
  });
}

/** Published posts with counts, the first one an hour ago, each further one a day before. */
async function publish(counts: Record<string, number>[], account = accountId): Promise<string[]> {
  const posts = counts.map((_, day) => ({ platformPostId: randomUUID(), age: `${day * 24 + 1} hours` }));
  const ids = await insertPublished(service.database, account, posts);
  for (const [index, given] of counts.entries()) {
    const names = Object.keys(given);
    await service.database.sql(
      `UPDATE social_media_posts SET ${names.map((name, at) => `${name} = $${at + 2}`).join(', ')} WHERE id = $1`,
      [ids[index], ...Object.values(given)],
    );
  }
  return ids;
}
const snapshot = (postId: string | undefined, at: string, likes: number, reach = 100) =>
  service.database.sql(
    `INSERT INTO social_media_analytics_snapshots (organisation_id, post_id, likes_count, comments_count, shares_count,
       saves_count, reach, impressions, plays_count, engagement_rate, snapshot_at, hours_since_published)
     SELECT organisation_id, id, $3::bigint, 0, 0, 0, $4::bigint, 2 * $4::bigint, 0,
            app.engagement_rate($3, 0, 0, 0, $4), $2::timestamptz, 5.25
       FROM social_media_posts WHERE id = $1`,
    [postId, at, likes, reach],
  );

describe('The performance of posts', () => {
  it('puts the best first by whatever is asked, with all of them in the summary, weighted by reach', async () => {
    const ids = await publish([
      { likes_count: 10, comments_count: 2, reach: 100 },
      { likes_count: 50, shares_count: 1, saves_count: 4, reach: 1000, impressions: 1500, plays_count: 7 },
      { likes_count: 0, reach: 0 },
    ]);
    const order = async (query: string) =>
      (await get(`performance${query}`)).body.data.map(({ id }: { id: string }) => ids.indexOf(id));
    expect(await order('')).toEqual([0, 1, 2]);
    expect(await order('?sort=reach')).toEqual([1, 0, 2]);
    expect(await order('?sort=publishedAt')).toEqual([0, 1, 2]);
    for (const sort of ['impressions', 'likes', 'shares', 'saves', 'plays'])
      expect((await order(`?sort=${sort}`))[0]).toBe(1);
    expect((await order('?sort=comments'))[0]).toBe(0);
    const { status, body } = await get('performance');
    expect(status).toBe(200);
    expect(body.data[0]).toMatchObject({
      ...{ id: ids[0], socialAccountId: accountId, platform: 'instagram', likesCount: 10, engagementRate: '12.00' },
      ...{ lastAnalyticsSync: null, analyticsAvailable: true, publishedAt: expect.stringMatching(/Z$/) },
    });
    expect(body.summary).toMatchObject({
      ...{ posts: 3, likesCount: 60, commentsCount: 2, sharesCount: 1, savesCount: 4, reach: 1100 },
      ...{ impressions: 1500, playsCount: 7, engagementRate: '6.09' },
    });
  });

  it('takes the days, platform and account that are asked for, and published posts alone', async () => {
    const ids = await publish([{ likes_count: 1 }, { likes_count: 2 }, { likes_count: 3 }]);
    const [onPage] = await publish([{ likes_count: 9 }], pageId);
    const [deleted] = await publish([{ likes_count: 99 }], pageId);
    if (deleted)
      await service.database.sql(`UPDATE social_media_posts SET status = 'deleted' WHERE id = $1`, [deleted]);
    await insertPost(service.database, accountId);
    const found = async (query: string) => {
      const { body } = await get(`performance?sort=likes&${query}`);
      expect(body.summary.posts).toBe(body.data.length);
      return body.data.map(({ id }: { id: string }) => id);
    };
    expect(await found('days=2')).toEqual([onPage, ids[1], ids[0]]);
    expect(await found('platform=facebook')).toEqual([onPage]);
    expect(await found(`accountId=${accountId}`)).toEqual([ids[2], ids[1], ids[0]]);
  });

  it('goes on page by page, also through posts that did equally well', async () => {
    const ids = await publish(Array.from({ length: 7 }, (_, number) => ({ likes_count: number % 2, reach: 10 })));
    for (const sort of ['engagement', 'likes', 'publishedAt']) {
      const seen: string[] = [];
      let cursor: string | null = '';
      for (let pages = 0; cursor !== null && pages < 10; pages += 1) {
        const { body } = await get(`performance?sort=${sort}&limit=2${cursor && `&cursor=${cursor}`}`);
        expect(body.summary === null).toBe(cursor !== '');
        seen.push(...body.data.map(({ id }: { id: string }) => id));
        cursor = body.nextCursor;
      }
      expect(seen).toHaveLength(7);
      expect(new Set(seen)).toEqual(new Set(ids));
    }
    const { body } = await get('performance?sort=likes&limit=2');
    expect(outcome(await get(`performance?sort=reach&limit=2&cursor=${body.nextCursor}`))).toEqual([
      400,
      'invalid-cursor',
    ]);
  });

  it('names the hours of the week that engage most, in the zone that is asked for', async () => {
    const ids = await publish([
      { likes_count: 10, reach: 100 },
      { likes_count: 30, reach: 100 },
    ]);
    // A Sunday evening in UTC, and a Monday morning in Auckland.
    const [{ sunday } = { sunday: '' }] = await service.database.sql<{ sunday: string }>(
      `SELECT (date_trunc('week', now() AT TIME ZONE 'UTC') - interval '3 hours 30 minutes')::text || 'Z' AS sunday`,
    );
    await service.database.sql('UPDATE social_media_posts SET published_at = $2 WHERE id = $1', [ids[1], sunday]);
    const best = async (zone: string) => (await get(`performance?timeZone=${zone}`)).body.summary.bestTimes;
    expect((await best('UTC'))[0]).toEqual({ weekday: 7, hour: 20, posts: 1, engagementRate: '30.00' });
    expect((await best('Pacific/Auckland'))[0]).toMatchObject({ weekday: 1 });
    expect(await best('UTC')).toHaveLength(2);
  });

  it('refuses what makes no sense', async () => {
    for (const query of ['days=0', 'days=366', 'sort=luck', 'timeZone=Mars', 'limit=0', 'unknown=1', 'accountId=1'])
      expect(outcome(await get(`performance?${query}`))).toEqual([400, 'invalid-request']);
  });

  it('is empty where nothing was published', async () => {
    const { body } = await get('performance');
    expect(body).toMatchObject({ data: [], nextCursor: null });
    expect(body.summary).toMatchObject({ posts: 0, likesCount: 0, engagementRate: '0.00', bestTimes: [] });
  });
});

describe('The analytics of one post', () => {
  it('show each state and what it gained, whole or by day or week', async () => {
    const [id] = await publish([{ likes_count: 21, reach: 100 }]);
    await snapshot(id, '2026-03-01T09:00:00Z', 5);
    await snapshot(id, '2026-03-01T23:30:00Z', 9);
    await snapshot(id, '2026-03-02T08:00:00Z', 8);
    await snapshot(id, '2026-03-09T08:00:00Z', 21);
    const points = async (query = '') =>
      (await get(`${id}/analytics?${query}`)).body.points.map(
        (point: { snapshotAt: string; likesCount: number; gained: { likesCount: number } }) =>
          [point.snapshotAt.slice(5, 13), point.likesCount, point.gained.likesCount] as const,
      );
    expect(await points()).toEqual([
      ['03-01T09', 5, 5],
      ['03-01T23', 9, 4],
      ['03-02T08', 8, -1],
      ['03-09T08', 21, 13],
    ]);
    expect(await points('resolution=day')).toEqual([
      ['03-01T23', 9, 9],
      ['03-02T08', 8, -1],
      ['03-09T08', 21, 13],
    ]);
    expect(await points('resolution=week')).toEqual([
      ['03-01T23', 9, 9],
      ['03-02T08', 8, -1],
      ['03-09T08', 21, 13],
    ]);
    // What came before the first day is no gain of it.
    expect(await points('from=2026-03-02&to=2026-03-02')).toEqual([['03-02T08', 8, -1]]);
    expect(await points('to=2026-03-01')).toHaveLength(2);
    const { body } = await get(`${id}/analytics`);
    expect(body).toMatchObject({
      ...{ postId: id, analyticsAvailable: true, lastAnalyticsSync: null },
      latest: { likesCount: 21, reach: 100, engagementRate: '21.00' },
    });
    expect(body.points[0]).toMatchObject({ hoursSincePublished: 5.25, impressions: 200, engagementRate: '5.00' });
  });

  it('are empty for a post that is not published, and refuse days that make no sense', async () => {
    const draft = await insertPost(service.database, accountId);
    const { status, body } = await get(`${draft}/analytics`);
    expect([status, body.publishedAt, body.points]).toEqual([200, null, []]);
    for (const query of ['from=2026-03-02&to=2026-03-01', 'from=yesterday', 'to=2026-02-30', 'resolution=minute'])
      expect(outcome(await get(`${draft}/analytics?${query}`))).toEqual([400, 'invalid-request']);
  });

  it('are read by whoever belongs to the organisation, and by nobody else', async () => {
    const [id] = await publish([{ likes_count: 1, reach: 10 }]);
    await snapshot(id, '2026-03-01T09:00:00Z', 5);
    for (const role of ['viewer', 'staff', 'provider', 'clinic_admin', 'member', 'manager', 'owner'])
      expect([(await get('performance', role)).status, (await get(`${id}/analytics`, role)).status]).toEqual([
        200, 200,
      ]);
    for (const role of ['owner', 'viewer', 'patient'])
      expect([
        outcome(await get('performance', role, 'southbank')),
        outcome(await get(`${id}/analytics`, role, 'southbank')),
      ]).toEqual([
        [404, 'not-found'],
        [404, 'not-found'],
      ]);
    // Through the own organisation's address, it is as if it did not exist.
    const path = `/organisations/${organisations.get('southbank')}/social/posts`;
    const token = await as('owner', 'southbank');
    const nobodys = '019a0000-0000-7000-8000-000000000000';
    for (const post of [id, nobodys])
      expect(outcome(await service.call('GET', `${path}/${post}/analytics`, { token }))).toEqual([404, 'not-found']);
    expect((await service.call('GET', `${path}/performance?accountId=${accountId}`, { token })).body.data).toEqual([]);
  });
});
