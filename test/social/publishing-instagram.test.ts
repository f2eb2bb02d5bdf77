import { type Meta, startMeta } from '../support/meta.js';
import { becomes, type Connected, connect, due, isPublished } from '../support/publishing.js';
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
