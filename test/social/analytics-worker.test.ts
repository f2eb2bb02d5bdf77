import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { Schedules } from '../../src/kernel/jobs/schedules.js';
import { type Meta, startMeta } from '../support/meta.js';
import { connectPage, insertPublished, publishOnPage } from '../support/published-posts.js';
import { type Service, startService } from '../support/service.js';

let meta: Meta;
let service: Service;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: meta.variables });
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

/** What waits for its minute is due now. */
const hurry = () =>
  service.database.sql(`UPDATE graphile_worker._private_jobs SET run_at = now() WHERE locked_at IS NULL`);

describe('The hourly tick', () => {
  it('lets a worker read every account that has posts which are due, whoever it belongs to', async () => {
    const posts: string[] = [];
    for (const slug of ['northside', 'southbank']) {
      const token = await service.tokenOf(demoAddress('owner', slug));
      const { organisationId } = (await service.call('GET', '/clinics', { token })).body.data[0];
      const page = await connectPage(service, meta, organisationId, `Practice of ${slug}`);
      const ids = await publishOnPage(service, page, 3);
      for (const objectId of ids) await meta.control('insights', { objectId, likes: 5, reach: 50 });
      posts.push(...(await insertPublished(service.database, page.pageAccountId, ids.map(asPost))));
    }
    const schedules = service.application.get(Schedules, { strict: false });
    expect(await schedules.tick('social.read-analytics', new Date())).toBe(true);
    await until(async () => (await readPosts()) === posts.length);
    for (const slug of ['northside', 'southbank']) {
      const token = await service.tokenOf(demoAddress('viewer', slug));
      const { organisationId } = (await service.call('GET', '/clinics', { token })).body.data[0];
      const path = `/organisations/${organisationId}/social/posts/performance`;
      const { body } = await service.call('GET', path, { token });
      expect(body.summary).toMatchObject({ posts: 3, likesCount: 15, reach: 150, engagementRate: '10.00' });
    }
    const [left] = await service.database.sql(`SELECT count(*)::int AS jobs FROM graphile_worker._private_jobs j
      JOIN graphile_worker._private_tasks t ON t.id = j.task_id WHERE t.identifier LIKE 'social.%analytics'`);
    expect(left).toEqual({ jobs: 0 });
  });
});

const asPost = (platformPostId: string) => ({ platformPostId });
async function readPosts(): Promise<number> {
  const [row] = await service.database.sql<{ posts: number }>(
    'SELECT count(DISTINCT post_id)::int AS posts FROM social_media_analytics_snapshots',
  );
  return row?.posts ?? 0;
}
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${isSo}.`);
    await hurry();
    await pause(100);
  }
}
