import { randomUUID } from 'node:crypto';
import { demoAddress } from '../../src/demo/demo.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { insertAccount, insertPost, insertVideo } from '../support/social.js';

let service: Service;
let staff: string;
let organisationId: string;
let foreign: string;

beforeAll(async () => {
  service = await startService();
  staff = await as('staff');
  organisationId = (await service.call('GET', '/clinics', { token: staff })).body.data[0].organisationId;
  const theirs = await service.call('GET', '/clinics', { token: await as('viewer', 'southbank') });
  foreign = theirs.body.data[0].organisationId;
});
afterAll(() => service.stop());

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];
const videos = (path = '') => `/organisations/${organisationId}/social/videos${path}`;
const create = (body: object, token = staff) => service.call('POST', videos(), { token, body });
const get = async (id: string) => (await service.call('GET', videos(`/${id}`), { token: staff })).body;
const videoUrl = 'https://media.example/implants.mp4';

describe('A video', () => {
  it('is ready once it has an address', async () => {
    const planned = await create({ prompt: 'Implants explained', mode: 'text-to-video' });
    expect([planned.status, planned.body.status, planned.body.postCount]).toEqual([201, 'draft', 0]);
    expect(planned.headers.get('location')).toBe(`/api/v1${videos(`/${planned.body.id}`)}`);
    expect((await create({ prompt: 'Implants', videoUrl })).body).toMatchObject({ status: 'ready', mode: 'upload' });
    const early = await create({ prompt: 'Implants', status: 'ready' });
    expect(early.body).toMatchObject({ status: 422, code: 'rule-violated', errors: [{ path: 'videoUrl' }] });
  });

  it.each([
    ['without words', {}, 'prompt'],
    ['with empty words', { prompt: ' ' }, 'prompt'],
    ['with 4,001 characters', { prompt: 'x'.repeat(4_001) }, 'prompt'],
    ['with an address that is none', { prompt: 'x', videoUrl: 'video.mp4' }, 'videoUrl'],
    ['with a count of its own', { prompt: 'x', postCount: 3 }, 'postCount'],
    ['that was posted already', { prompt: 'x', postedToSocial: true }, 'postedToSocial'],
  ])('%s is refused', async (_, body, path) => {
    const refused = await create(body);
    expect([refused.status, refused.body.errors[0].path]).toEqual([400, path]);
  });

  it('is changed against the version that was seen', async () => {
    const made = await create({ prompt: 'Before' });
    const headers = { 'if-match': made.headers.get('etag') ?? '' };
    const change = (prompt: string) =>
      service.call('PATCH', videos(`/${made.body.id}`), { token: staff, headers, body: { prompt } });
    const answers = await Promise.all([change('One'), change('Other')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    const ready = await service.call('PATCH', videos(`/${made.body.id}`), {
      token: staff,
      body: { status: 'ready', videoUrl },
    });
    expect(ready.body).toMatchObject({ status: 'ready', videoUrl });
  });

  it('is made once for one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const send = () => service.call('POST', videos(), { token: staff, headers, body: { prompt: 'Once' } });
    expect((await send()).body.id).toBe((await send()).body.id);
  });

  it('counts the published posts that show it, also those that were deleted here since', async () => {
    const { body } = await create({ prompt: 'Whitening', videoUrl });
    const accountId = await insertAccount(service.database, organisationId);
    const content = { content_id: body.id, content_type: 'video', content_url: videoUrl };
    await insertPost(service.database, accountId, { ...content, status: 'queued' });
    expect(await get(body.id)).toMatchObject({ postedToSocial: false, postCount: 0 });
    const published = await insertPost(service.database, accountId, { ...content, status: 'published' });
    await insertPost(service.database, accountId, { ...content, status: 'published' });
    expect(await get(body.id)).toMatchObject({ postedToSocial: true, postCount: 2 });
    const path = `/organisations/${organisationId}/social/posts/${published}`;
    expect((await service.call('DELETE', path, { token: staff })).status).toBe(204);
    expect(await get(body.id)).toMatchObject({ postCount: 2 });
  });

  it('counts two posts that are published at the same moment', async () => {
    const { body } = await create({ prompt: 'Twins', videoUrl });
    const accountId = await insertAccount(service.database, organisationId);
    const claimed = { content_id: body.id, content_type: 'video', content_url: videoUrl, status: 'processing' };
    const ids = [
      await insertPost(service.database, accountId, claimed),
      await insertPost(service.database, accountId, claimed),
    ];
    const publish = (id?: string) =>
      `UPDATE social_media_posts SET status = 'published', claimed_until = NULL, published_at = now(), platform_post_id = id
        WHERE id = '${id}'`;
    // The first has counted, and not yet committed, when the second begins.
    const first = service.database.sql(`BEGIN; ${publish(ids[0])}; SELECT pg_sleep(0.6); COMMIT`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await Promise.all([first, service.database.sql(publish(ids[1]))]);
    expect(await get(body.id)).toMatchObject({ postCount: 2 });
  });

  it('that is deleted leaves its posts their address', async () => {
    const { body } = await create({ prompt: 'Braces', videoUrl });
    const accountId = await insertAccount(service.database, organisationId);
    const post = await insertPost(service.database, accountId, {
      ...{ content_id: body.id, content_type: 'video', content_url: videoUrl, status: 'queued' },
    });
    expect((await service.call('DELETE', videos(`/${body.id}`), { token: staff })).status).toBe(204);
    expect(outcome(await service.call('DELETE', videos(`/${body.id}`), { token: staff }))).toEqual([404, 'not-found']);
    const kept = await service.call('GET', `/organisations/${organisationId}/social/posts/${post}`, { token: staff });
    expect(kept.body).toMatchObject({ contentId: null, contentUrl: videoUrl, status: 'queued' });
  });

  it('is read by viewers and written by staff; to others it is not there', async () => {
    const { body } = await create({ prompt: 'Ours' });
    expect((await service.call('GET', videos(`/${body.id}`), { token: await as('viewer') })).status).toBe(200);
    expect(outcome(await create({ prompt: 'Theirs' }, await as('viewer')))).toEqual([403, 'role-too-low']);
    const theirs = await insertVideo(service.database, foreign);
    for (const id of [theirs, randomUUID()])
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        const options = { token: staff, body: method === 'PATCH' ? { prompt: 'Mine' } : undefined };
        expect(outcome(await service.call(method, videos(`/${id}`), options))).toEqual([404, 'not-found']);
      }
  });
});

describe('The list of videos', () => {
  it('goes from page to page, and tells posted from unposted', async () => {
    const list = async (query: string) => (await service.call('GET', videos(query), { token: staff })).body;
    const all = await list('?limit=200');
    const first = await list('?limit=2');
    const second = await list(`?limit=200&cursor=${first.nextCursor}`);
    expect([...first.data, ...second.data]).toEqual(all.data);
    const unposted = await list('?posted=false');
    expect(unposted.data.every((video: { postCount: number }) => video.postCount === 0)).toBe(true);
    const posted = await list('?posted=true');
    expect(posted.data).toMatchObject([{ prompt: 'Twins' }, { prompt: 'Whitening', postCount: 2 }]);
    expect(unposted.data.length + posted.data.length).toBe(all.data.length);
    expect((await list('?status=ready')).data.length).toBeLessThan(all.data.length);
    expect(outcome(await service.call('GET', videos('?posted=maybe'), { token: staff }))).toEqual([
      400,
      'invalid-request',
    ]);
  });
});
