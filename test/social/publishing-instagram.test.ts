import { type Meta, startMeta } from '../support/meta.js';
import {
  becomes,
  type Connected,
  connect,
  due,
  hasten,
  isFailed,
  isPublished,
  waitsFor,
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
  await meta.control('containers', { imagePolls: 0, videoPolls: 1, ms: 0 });
  await meta.control('limit', { instagramId: account.instagramId, used: 0, total: 1_000 });
});

const queue = (columns: Record<string, unknown>) => due(meta, service.database, account.instagram, columns);
const standing = async (caption: string) => (await meta.published()).filter((each) => each.caption === caption);

describe('A post on Instagram', () => {
  it('is published with its hashtags, and its address is fetched', async () => {
    const id = await queue({ caption: 'White teeth', hashtags: ['dentist', 'smile'] });
    const post = await becomes(service.database, id, isPublished);
    const [medium] = await standing('White teeth\n\n#dentist #smile');
    expect(medium).toMatchObject({ id: post.platform_post_id, objectId: account.instagramId, kind: 'instagram-feed' });
    expect(post.platform_url).not.toContain(post.platform_post_id);
    expect(await meta.count('instagram.limit')).toBe(1);
  });

  it('is a reel, a story or a carousel', async () => {
    const reel = await queue({ caption: 'A reel', content_type: 'video', post_type: 'reel', share_to_feed: true });
    const story = await queue({ caption: 'Not shown', post_type: 'story' });
    const children = [meta.media('one.jpg'), meta.media('two.mp4'), meta.media('three.jpg')];
    const kinds = { children, child_content_types: ['image', 'video', 'image'] };
    const carousel = await queue({ caption: 'A carousel', post_type: 'carousel', ...kinds });
    const kindOf = async (id: string) => {
      const { platform_post_id } = await becomes(service.database, id, isPublished);
      return (await meta.published()).find((each) => each.id === platform_post_id);
    };
    expect(await kindOf(reel)).toMatchObject({ kind: 'instagram-reel' });
    expect(await kindOf(story)).toMatchObject({ kind: 'instagram-story' });
    expect(await kindOf(carousel)).toMatchObject({ kind: 'instagram-feed', urls: children });
  });
});

describe('A container', () => {
  it('that takes its time is waited for visibly, and stays the same one', async () => {
    await meta.control('containers', { imagePolls: 3 });
    const id = await queue({ caption: 'Slow' });
    const waiting = await becomes(service.database, id, waitsFor('container'));
    expect(waiting).toMatchObject({ container_id: expect.any(String), publish_started_at: null });
    const post = await becomes(service.database, id, isPublished, { hastened: true });
    expect(post).toMatchObject({ container_id: waiting.container_id, retry_count: 0 });
    expect(await meta.count('instagram.container')).toBe(1);
  });

  it('that is not ready after five minutes is put off, not forgotten', async () => {
    await meta.control('containers', { imagePolls: 1_000 });
    const id = await queue({ caption: 'Very slow', container_checks: 0 });
    const { container_id } = await becomes(service.database, id, waitsFor('container'));
    await service.database.sql('UPDATE social_media_posts SET container_checks = 14 WHERE id = $1', [id]);
    await hasten(service.database, id);
    const late = await becomes(
      service.database,
      id,
      (post) => post.container_checks === 15 && waitsFor('container')(post),
    );
    expect(late.container_id).toBe(container_id);
    expect((late.next_attempt_at?.getTime() ?? 0) - Date.now()).toBeGreaterThan(240_000);
  });

  it('that Meta could not make sense of ends the post with its number, and nothing of its words', async () => {
    await meta.fault({ kind: 'container-error' });
    const id = await queue({ caption: 'Broken medium' });
    const post = await becomes(service.database, id, isFailed);
    expect(post).toMatchObject({ error_code: 'media-refused', container_id: null });
    expect(post.error_message).toBe('Instagram could not use the medium (error 2207026).');
    expect(await standing('Broken medium')).toEqual([]);
  });

  it('that has expired is made anew', async () => {
    await meta.fault({ kind: 'container-expired' });
    const id = await queue({ caption: 'Expired' });
    const post = await becomes(service.database, id, isPublished);
    expect(post.retry_count).toBe(1);
    expect(await standing('Expired')).toHaveLength(1);
    expect(await meta.count('instagram.container')).toBe(2);
  });

  it('of the day before is not counted on', async () => {
    const columns = { caption: 'Old container', container_id: '17855000000000001' };
    const id = await queue({ ...columns, container_created_at: new Date(Date.now() - 23.5 * 3_600_000) });
    const post = await becomes(service.database, id, isPublished);
    expect(post.container_id).not.toBe(columns.container_id);
    expect(await standing('Old container')).toHaveLength(1);
  });

  it('that is never ready is made anew as often as the post allows, and then given up', async () => {
    await meta.control('containers', { imagePolls: 1_000 });
    const aged = `UPDATE social_media_posts SET container_created_at = now() - interval '23.5 hours' WHERE id = $1`;
    const id = await queue({ caption: 'Never ready', max_retries: 1 });
    const first = await becomes(service.database, id, waitsFor('container'));
    await service.database.sql(aged, [id]);
    await hasten(service.database, id);
    const isAnother = (post: typeof first) => post.container_id !== first.container_id && post.container_id !== null;
    const second = await becomes(service.database, id, isAnother);
    expect(second.retry_count).toBe(1);
    await becomes(service.database, id, (post) => post.container_checks > 0 && waitsFor('container')(post));
    await service.database.sql(aged, [id]);
    await hasten(service.database, id);
    expect(await becomes(service.database, id, isFailed)).toMatchObject({
      error_code: 'media-refused',
      retry_count: 1,
    });
    expect(await standing('Never ready')).toEqual([]);
  });
});

describe('The publishing limit', () => {
  it('is asked before, and a post beyond it waits visibly and is published later', async () => {
    await meta.control('limit', { instagramId: account.instagramId, used: 50, total: 50 });
    const id = await queue({ caption: 'One too many' });
    const waiting = await becomes(service.database, id, waitsFor('publishing-limit'));
    expect(waiting).toMatchObject({ retry_count: 0, error_code: null });
    expect(waiting.next_attempt_at?.getTime()).toBeGreaterThan(Date.now() + 600_000);
    expect(await meta.count('instagram.container')).toBe(0);
    await meta.control('limit', { instagramId: account.instagramId, used: 0, total: 1_000 });
    await hasten(service.database, id);
    await becomes(service.database, id, isPublished);
    expect(await standing('One too many')).toHaveLength(1);
  });
});
