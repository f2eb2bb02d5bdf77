import { type Meta, startMeta } from '../support/meta.js';
import { GraphClientOfTests } from '../support/meta-graph.js';

/** How the emulator publishes, counts and lists, as Meta documents it. */

let meta: Meta;
let graph: GraphClientOfTests;
let token: string;
let page: { id: string; instagramId: string };
beforeAll(async () => {
  meta = await startMeta();
});
afterAll(() => meta.stop());
beforeEach(async () => {
  await meta.control('reset');
  graph = new GraphClientOfTests(meta);
  const personId = await meta.person('Ada Lovelace');
  const made = await meta.page({ personId, name: 'Practice', instagram: { username: 'practice' } });
  page = { id: made.id, instagramId: made.instagramId ?? '' };
  token = await graph.connectedPage(personId, page.id);
});

const image = { image_url: 'https://media.example/a.jpg', caption: 'Smile #teeth' };
const reel = { media_type: 'REELS', video_url: 'https://media.example/a.mp4', caption: 'A reel' };
const container = (params: Record<string, string>) => graph.post(`${page.instagramId}/media`, token, params);
const publish = (id: string) => graph.post(`${page.instagramId}/media_publish`, token, { creation_id: id });
const statusOf = async (id: string): Promise<string> =>
  (await graph.get(id, token, { fields: 'status_code' })).body.status_code;
const made = async (params: Record<string, string>): Promise<string> => (await container(params)).body.id;
const refusal = async (answer: Promise<{ body: { error?: { code: number; error_subcode?: number } } }>) => {
  const { error } = (await answer).body;
  return error && [error.code, error.error_subcode];
};

describe('Instagram', () => {
  it('publishes a finished container once, and has its own address for it', async () => {
    const id = await made(image);
    expect(await statusOf(id)).toBe('FINISHED');
    const media = (await publish(id)).body.id;
    expect(await statusOf(id)).toBe('PUBLISHED');
    expect(await refusal(publish(id))).toEqual([24, 2207008]);
    const { permalink } = (await graph.get(media, token, { fields: 'permalink,timestamp' })).body;
    expect(permalink).toMatch(/^https:\/\/www\.instagram\.com\/p\//);
    expect(permalink).not.toContain(media);
    expect(await meta.published()).toEqual([
      expect.objectContaining({ id: media, kind: 'instagram-feed', caption: image.caption, containerId: id }),
    ]);
  });

  it('does not publish what is not ready, has failed, is over a day old or is somebody else’s', async () => {
    await meta.fault({ kind: 'container-slow', polls: 2 });
    const slow = await made(reel);
    expect(await refusal(publish(slow))).toEqual([9007, 2207027]);
    expect([await statusOf(slow), await statusOf(slow), await statusOf(slow)]).toEqual([
      ...['IN_PROGRESS', 'IN_PROGRESS', 'FINISHED'],
    ]);
    await meta.fault({ kind: 'container-error' });
    expect(await statusOf(await made(image))).toBe('ERROR');
    const old = await made(image);
    await meta.control('clock', { offsetSeconds: 86_401 });
    expect([await statusOf(old), await refusal(publish(old))]).toEqual(['EXPIRED', [24, 2207008]]);
    const otherId = await meta.person('Bob Other');
    const other = await meta.page({ personId: otherId, name: 'Other', instagram: { username: 'other' } });
    const otherToken = await graph.connectedPage(otherId, other.id);
    const foreign = await made(image);
    const taken = graph.post(`${other.instagramId}/media_publish`, otherToken, { creation_id: foreign });
    expect(await refusal(taken)).toEqual([24, 2207008]);
  });

  it('refuses what cannot become a post', async () => {
    expect(await refusal(container({ ...image, caption: 'x'.repeat(2201) }))).toEqual([36004, 2207010]);
    expect(await refusal(container({ ...image, caption: '#a '.repeat(31) }))).toEqual([36004, 2207010]);
    expect(await refusal(container({ caption: 'No picture' }))).toEqual([100, undefined]);
    expect(await refusal(container({ ...reel, media_type: 'VIDEO' }))).toEqual([100, undefined]);
    expect(await refusal(container({ ...reel, media_type: 'FILM' }))).toEqual([100, 2207023]);
    expect(await refusal(container({ ...image, share_to_feed: 'true' }))).toEqual([100, undefined]);
    expect(await refusal(container({ image_url: 'file:///etc/passwd' }))).toEqual([9004, 2207052]);
    expect(await refusal(container({ ...image, media_type: 'STORIES', video_url: reel.video_url }))).toEqual([
      100,
      undefined,
    ]);
  });

  it('makes a carousel of two to ten finished items', async () => {
    const item = () => made({ image_url: image.image_url, is_carousel_item: 'true' });
    const one = await item();
    const parent = (children: string[]) =>
      container({ media_type: 'CAROUSEL', caption: 'Many', children: children.join(',') });
    expect(await refusal(parent([one]))).toEqual([100, 2207028]);
    expect(await refusal(parent([one, '17855999999999999']))).toEqual([24, 2207006]);
    expect(await refusal(parent([one, await made(image)]))).toEqual([24, 2207006]);
    const unready = await made({ video_url: reel.video_url, media_type: 'VIDEO', is_carousel_item: 'true' });
    expect(await refusal(parent([one, unready]))).toEqual([9007, 2207027]);
    expect(await refusal(publish(one))).toEqual([24, 2207008]);
    const carousel = (await parent([one, await item()])).body.id;
    expect((await publish(carousel)).status).toBe(200);
    expect((await meta.published())[0]).toMatchObject({ mediaType: 'CAROUSEL_ALBUM', caption: 'Many' });
  });

  it('counts what was published in 24 hours against the limit', async () => {
    await meta.control('limit', { instagramId: page.instagramId, used: 1, total: 2 });
    const usage = async () => {
      const limit = graph.get(`${page.instagramId}/content_publishing_limit`, token, { fields: 'quota_usage,config' });
      return (await limit).body.data[0];
    };
    expect((await publish(await made(image))).status).toBe(200);
    expect(await usage()).toEqual({ quota_usage: 2, config: { quota_total: 2, quota_duration: 86_400 } });
    expect(await refusal(publish(await made(image)))).toEqual([9, 2207042]);
    await meta.control('clock', { offsetSeconds: 86_401 });
    expect((await usage()).quota_usage).toBe(1);
    expect((await publish(await made(image))).status).toBe(200);
  });

  it('lists feed and reels newest first, stories apart, and both only after a while when lists lag', async () => {
    const story = { media_type: 'STORIES', image_url: image.image_url };
    for (const params of [image, { ...image, caption: 'Second' }, story]) await publish(await made(params));
    const captions = async (edge: string) =>
      (await graph.get(`${page.instagramId}/${edge}`, token, { fields: 'caption' })).body.data.map(
        ({ caption }: { caption?: string }) => caption,
      );
    expect([await captions('media'), await captions('stories')]).toEqual([['Second', 'Smile #teeth'], [undefined]]);
    await meta.control('latency', { listLagMs: 60_000 });
    expect([await captions('media'), await captions('stories')]).toEqual([[], []]);
    await meta.control('clock', { offsetSeconds: 90_000 });
    expect([(await captions('media')).length, await captions('stories')]).toEqual([2, []]);
  });
});

describe('A page', () => {
  it('takes texts, photos and videos, and shows each of them in a post', async () => {
    const post = (await graph.post(`${page.id}/feed`, token, { message: 'A text' })).body.id;
    const photo = (await graph.post(`${page.id}/photos`, token, { url: image.image_url, caption: 'A photo' })).body;
    const video = (await graph.post(`${page.id}/videos`, token, { file_url: reel.video_url, description: 'A film' }))
      .body;
    const { data } = (await graph.get(`${page.id}/published_posts`, token, { fields: 'id,message' })).body;
    expect(data.map(({ message }: { message: string }) => message)).toEqual(['A film', 'A photo', 'A text']);
    expect([data[1].id, data[2].id]).toEqual([photo.post_id, post]);
    expect(data[0].id).not.toBe(video.id);
    const films = (await graph.get(`${page.id}/videos`, token, { fields: 'description,permalink_url' })).body.data;
    expect(films).toEqual([{ id: video.id, description: 'A film', permalink_url: `/${page.id}/videos/${video.id}/` }]);
    expect(await refusal(graph.get(photo.id, token, { fields: 'permalink_url' }))).toEqual([100, undefined]);
    expect(await refusal(graph.post(`${page.id}/feed`, token, {}))).toEqual([100, 1349125]);
    await meta.control('app', { refusesDuplicates: true });
    expect(await refusal(graph.post(`${page.id}/feed`, token, { message: 'A text' }))).toEqual([506, undefined]);
  });

  it('reads a form, parts and JSON alike', async () => {
    const params = { message: 'Any form', access_token: token, appsecret_proof: graph.proof(token) };
    const parts = new FormData();
    for (const [name, value] of Object.entries(params)) parts.set(name, value);
    const json = { body: JSON.stringify(params), headers: { 'content-type': 'application/json' } };
    for (const init of [{ body: new URLSearchParams(params) }, { body: parts }, json])
      expect((await fetch(`${meta.url}/v25.0/${page.id}/feed`, { method: 'POST', ...init })).status).toBe(200);
    expect((await meta.published(page.id)).map(({ caption }) => caption)).toEqual(Array(3).fill('Any form'));
  });

  it('makes an album of hidden photos, each of them once', async () => {
    const upload = async () =>
      (await graph.post(`${page.id}/photos`, token, { url: image.image_url, published: 'false' })).body.id;
    const ids = [await upload(), await upload()];
    expect(await meta.published()).toEqual([]);
    const media = Object.fromEntries(
      ids.map((id, index) => [`attached_media[${index}]`, JSON.stringify({ media_fbid: id })]),
    );
    const album = () => graph.post(`${page.id}/feed`, token, { message: 'Album', ...media });
    expect((await album()).status).toBe(200);
    expect((await meta.published())[0]?.urls.length).toBe(2);
    expect((await album()).status).toBe(400);
  });

  it('takes a subscription of its events with the permission for it', async () => {
    const events = { subscribed_fields: 'feed,messages' };
    expect(await refusal(graph.post(`${page.id}/subscribed_apps`, token, events))).toEqual([200, undefined]);
  });
});

describe('Insights', () => {
  it('come in a batch, each with its own answer', async () => {
    const media = (await publish(await made(image))).body.id;
    const post = (await graph.post(`${page.id}/feed`, token, { message: 'A text' })).body.id;
    const counts = { likes: 3, comments: 2, shares: 1, saves: 4, reach: 50, impressions: 80 };
    for (const objectId of [media, post]) await meta.control('insights', { objectId, ...counts });
    const asked = [
      `${media}/insights?metric=likes,saved,reach,views`,
      `${media}/insights?metric=impressions`,
      `${post}?fields=shares,reactions.limit(0).summary(total_count),insights.metric(post_media_view)`,
      '17990999999999999/insights?metric=reach',
    ];
    const batch = JSON.stringify(asked.map((relative_url) => ({ method: 'GET', relative_url })));
    const { body } = await graph.post('', token, { batch, include_headers: 'false' });
    const [first, second, third, fourth] = body.map(({ code, body: text }: { code: number; body: string }) => ({
      ...{ code, said: JSON.parse(text) },
    }));
    expect(first.said.data.map(({ values }: { values: unknown[] }) => values[0])).toEqual(
      [3, 4, 50, 80].map((value) => ({ value })),
    );
    expect(second.said.error.message).toMatch(/v22\.0/);
    expect(third.said).toMatchObject({ shares: { count: 1 }, reactions: { data: [], summary: { total_count: 3 } } });
    expect(third.said.insights.data[0].values).toEqual([{ value: 80 }]);
    expect([second.code, fourth.code, fourth.said.error.error_subcode]).toEqual([400, 400, 33]);
    expect(await meta.count('insights')).toBe(2);
  });

  it('of a story need five viewers, and end with it', async () => {
    const story = (await publish(await made({ media_type: 'STORIES', image_url: image.image_url }))).body.id;
    const read = () => graph.get(`${story}/insights`, token, { metric: 'reach,replies' });
    expect(await refusal(read())).toEqual([10, undefined]);
    await meta.control('insights', { objectId: story, reach: 5 });
    expect((await read()).body.data.length).toBe(2);
    await meta.control('clock', { offsetSeconds: 86_401 });
    expect(await refusal(read())).toEqual([10, undefined]);
  });

  it('are refused in a batch of more than fifty', async () => {
    const batch = JSON.stringify(Array.from({ length: 51 }, () => ({ method: 'GET', relative_url: page.id })));
    expect((await graph.post('', token, { batch })).status).toBe(400);
  });
});

describe('A file to publish', () => {
  it('has the type and size that are asked for, and bytes of its kind', async () => {
    const head = await fetch(meta.media('a.jpg', { bytes: 9_000_000 }), { method: 'HEAD' });
    expect([head.headers.get('content-type'), head.headers.get('content-length')]).toEqual(['image/jpeg', '9000000']);
    const begin = async (name: string, asked = {}) =>
      Buffer.from(await (await fetch(meta.media(name, asked))).arrayBuffer());
    expect((await begin('a.jpg')).subarray(0, 3).toString('hex')).toBe('ffd8ff');
    expect((await begin('a.png', { bytes: 500 })).length).toBe(500);
    const film = await begin('a.mp4', { duration: 61.5, width: 720, height: 1280 });
    const header = film.indexOf('mvhd') + 4;
    expect(film.readUInt32BE(header + 16) / film.readUInt32BE(header + 12)).toBe(61.5);
    expect(film.readUInt32BE(film.indexOf('tkhd') + 4 + 76) / 0x10000).toBe(720);
    expect((await fetch(meta.media('a.mp4', { status: 404 }))).status).toBe(404);
    const part = await fetch(meta.media('a.jpg', { bytes: 1000 }), { headers: { range: 'bytes=0-9' } });
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 10]);
  });
});
