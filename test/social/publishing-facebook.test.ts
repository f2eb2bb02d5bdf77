import { type Meta, startMeta } from '../support/meta.js';
import {
  becomes,
  type Connected,
  connect,
  due,
  hasten,
  isFailed,
  isPublished,
  postRow,
} from '../support/publishing.js';
import { type Service, startService } from '../support/service.js';

let meta: Meta;
let service: Service;
let account: Connected;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: meta.variables });
  account = await connect(meta, service, 'Northside');
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
afterEach(async () => {
  await meta.control('faults/clear');
  await meta.control('calls/clear');
  await meta.control('latency', { listLagMs: 0 });
});

const queue = (columns: Record<string, unknown>) => due(meta, service.database, account.page, columns);
const standing = async (caption: string) => (await meta.published()).filter((each) => each.caption === caption);

describe('A post on a page of Facebook', () => {
  it.each([
    ['a text', { content_url: null }, 'page.feed'],
    ['a photo', {}, 'page.photo'],
    ['a video', { content_type: 'video' }, 'page.video'],
  ] as const)('is %s, with its address as Meta gives it', async (what, columns, call) => {
    const id = await queue({ caption: `With ${what}`, ...columns });
    const post = await becomes(service.database, id, isPublished);
    expect(await standing(`With ${what}`)).toHaveLength(1);
    expect(await meta.count(call)).toBe(1);
    expect(post.platform_url).toMatch(/^https?:/);
  });

  it('is an album, whose photos are uploaded before anybody sees them', async () => {
    const children = [meta.media('one.jpg'), meta.media('two.png'), meta.media('three.jpg')];
    const kinds = { children, child_content_types: ['image', 'image', 'image'] };
    const id = await queue({ caption: 'An album', post_type: 'carousel', content_url: null, ...kinds });
    const post = await becomes(service.database, id, isPublished);
    expect(post.child_containers).toHaveLength(3);
    expect(await standing('An album')).toHaveLength(1);
    expect(await meta.published(account.pageId)).not.toContainEqual(expect.objectContaining({ caption: '' }));
  });

  it('that a page cannot show is refused without asking Meta', async () => {
    const id = await queue({ caption: 'A story', post_type: 'story' });
    expect(await becomes(service.database, id, isFailed)).toMatchObject({ error_code: 'post-type-not-supported' });
    expect(await meta.calls()).toEqual([]);
  });
});

describe('A photo whose answer is lost', () => {
  const inDoubt = { status: 'processing', platform_post_id: null, publish_started_at: expect.any(Date) };

  it('is found on the page, though the page shows it late, and not sent again', async () => {
    await meta.control('latency', { listLagMs: 1_500 });
    await meta.fault({ on: 'page.photo', kind: 'cut-after' });
    const id = await queue({ caption: 'Lost and found' });
    await becomes(service.database, id, (post) => post.publish_started_at !== null && post.container_checks > 0);
    expect(await postRow(service.database, id)).toMatchObject(inDoubt);
    const post = await becomes(service.database, id, isPublished);
    expect(post.platform_post_id).toContain(`${account.pageId}_`);
    expect(await standing('Lost and found')).toHaveLength(1);
    expect(await meta.count('page.photo')).toBe(1);
  });

  it('and that never arrived ends as unknown rather than twice on the page', async () => {
    await meta.fault({ on: 'page.photo', kind: 'cut-before' });
    const id = await queue({ caption: 'Lost for good' });
    const post = await becomes(service.database, id, isFailed, { hastened: true });
    expect(post).toMatchObject({ error_code: 'outcome-unknown', publish_started_at: expect.any(Date) });
    expect(await meta.count('page.photo')).toBe(1);
    expect(await meta.count('page.posts')).toBeGreaterThan(3);
  });

  it('is not taken for another post with the same words', async () => {
    const first = await queue({ caption: 'Twins' });
    const { platform_post_id } = await becomes(service.database, first, isPublished);
    await meta.fault({ on: 'page.photo', kind: 'cut-before' });
    const second = await queue({ caption: 'Twins' });
    const post = await becomes(service.database, second, isFailed, { hastened: true });
    expect(post).toMatchObject({ error_code: 'outcome-unknown', platform_post_id: null });
    expect(await postRow(service.database, first)).toMatchObject({ platform_post_id, status: 'published' });
  });

  it('and that has no words cannot be recognised', async () => {
    await meta.fault({ on: 'page.photo', kind: 'cut-after' });
    const id = await queue({ caption: '' });
    await becomes(service.database, id, (post) => post.publish_started_at !== null && post.claimed_until !== null);
    const post = await becomes(service.database, id, isFailed, { hastened: true });
    expect(post.error_code).toBe('outcome-unknown');
    await hasten(service.database, id);
    expect(await meta.count('page.photo')).toBe(1);
  });
});
