import { demoAddress } from '../../src/demo/demo.js';
import { seedDemoSocial } from '../../src/demo/demo-social.js';
import { AnalyticsJobs } from '../../src/modules/social/analytics/analytics.jobs.js';
import { startService } from '../support/service.js';

describe('The demo', () => {
  it('has posts in every state that lasts, with an echo worth looking at, once however often it is started', async () => {
    const fresh = await startService();
    try {
      await Promise.all([seedDemoSocial(fresh.config), seedDemoSocial(fresh.config)]);
      const token = await fresh.tokenOf(demoAddress('viewer', 'southbank'));
      const { organisationId } = (await fresh.call('GET', '/clinics', { token })).body.data[0];
      const states = await fresh.database.sql(
        `SELECT status, count(*)::int AS posts FROM social_media_posts WHERE organisation_id = $1 GROUP BY 1 ORDER BY 1`,
        [organisationId],
      );
      expect(Object.fromEntries(states.map(({ status, posts }) => [status, posts]))).toEqual({
        ...{ draft: 3, queued: 3, published: 22, failed: 1, deleted: 1 },
      });
      const social = `/organisations/${organisationId}/social`;
      const { body } = await fresh.call('GET', `${social}/posts/performance`, { token });
      expect(Number(body.data[0].engagementRate)).toBeGreaterThan(1);
      expect(body.summary).toMatchObject({ posts: expect.any(Number), bestTimes: { length: 3 } });
      const { points } = (await fresh.call('GET', `${social}/posts/${body.data[0].id}/analytics`, { token })).body;
      expect(points.at(-1).reach).toBeGreaterThan(points[0].reach);
    } finally {
      await fresh.stop();
    }
  });

  it('asks nothing of Meta: no account has a token, and no job comes of its posts', async () => {
    const fresh = await startService();
    try {
      await seedDemoSocial(fresh.config);
      const { sql } = fresh.database;
      await sql(
        `UPDATE social_media_posts SET last_analytics_sync = now() - interval '8 days' WHERE status = 'published'`,
      );
      await fresh.application.get(AnalyticsJobs, { strict: false }).findDue();
      const [found] = await sql(
        `SELECT count(*) FILTER (WHERE access_token_sealed IS NOT NULL OR status = 'active')::int AS usable, count(*)::int AS all,
                (SELECT count(*)::int FROM graphile_worker._private_jobs) AS jobs,
                (SELECT count(*)::int FROM social_media_posts WHERE next_attempt_at IS NOT NULL) AS due
           FROM social_media_accounts`,
      );
      expect(found).toEqual({ usable: 0, all: 4, jobs: 0, due: 0 });
    } finally {
      await fresh.stop();
    }
  });
});
