import { randomUUID } from 'node:crypto';
import { demoAddress } from '../../src/demo/demo.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { insertAccount, insertPost, insertVideo } from '../support/social.js';

let service: Service;
let staff: string;
let organisationId: string;
let foreignOrganisation: string;
let accountId: string;

beforeAll(async () => {
  service = await startService();
  staff = await as('staff');
  organisationId = await organisationOf('northside');
  foreignOrganisation = await organisationOf('southbank');
  accountId = await insertAccount(service.database, organisationId, { platform: 'instagram' });
});
afterAll(() => service.stop());

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const outcome = ({ status, body }: Answer) => [status, body?.code];
const pathsOf = ({ body }: Answer) => body.errors.map(({ path }: { path: string }) => path);
const organisationOf = async (slug: string): Promise<string> => {
  const token = await as('viewer', slug);
  return (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
};
const posts = (path = '') => `/organisations/${organisationId}/social/posts${path}`;
const draft = (body: object = {}, token = staff) =>
  service.call('POST', posts(), { token, body: { socialAccountId: accountId, ...body } });

describe('A draft', () => {
  it('takes the platform of its account, and may be half finished', async () => {
    const made = await draft({ caption: 'Open on Saturday', hashtags: ['dentist', 'zähne'] });
    expect(made.status).toBe(201);
    expect(made.headers.get('location')).toBe(`/api/v1${posts(`/${made.body.id}`)}`);
    expect(made.body).toMatchObject({
      ...{ platform: 'instagram', status: 'draft', postType: 'feed', contentType: 'image', scheduledFor: null },
      ...{ likesCount: 0, engagementRate: '0.00', hashtags: ['dentist', 'zähne'] },
    });
    const [row] = await service.database.sql('SELECT created_by FROM social_media_posts WHERE id = $1', [made.body.id]);
    expect(made.body.createdBy).toBe(row?.created_by);
  });

  it('never tells what belongs to the worker', async () => {
    const { body } = await draft();
    for (const inner of ['attemptId', 'claimedUntil', 'containerId', 'publishStartedAt', 'legacyId'])
      expect(body).not.toHaveProperty(inner);
  });

  it('takes the address of a video that it shows', async () => {
    const contentId = await insertVideo(service.database, organisationId, { thumbnail_url: 'https://media.example/t' });
    const { body } = await draft({ contentId, postType: 'reel' });
    expect(body).toMatchObject({
      ...{ contentId, contentType: 'video', contentUrl: 'https://media.example/video.mp4' },
      thumbnailUrl: 'https://media.example/t',
    });
  });

  it('refers to nothing of another organisation, and the answer names the field', async () => {
    const theirs = await insertAccount(service.database, foreignOrganisation);
    const video = await insertVideo(service.database, foreignOrganisation);
    for (const [body, path] of [
      [{ socialAccountId: theirs }, 'socialAccountId'],
      [{ socialAccountId: randomUUID() }, 'socialAccountId'],
      [{ contentId: video }, 'contentId'],
    ] as const) {
      const refused = await draft(body);
      expect([...outcome(refused), pathsOf(refused)]).toEqual([422, 'unknown-reference', [path]]);
    }
  });

  it.each([
    ['a hashtag with its #', { hashtags: ['#dentist'] }, 'hashtags.0'],
    ['a hashtag of two words', { hashtags: ['two words'] }, 'hashtags.0'],
    ['an empty hashtag', { hashtags: [''] }, 'hashtags.0'],
    ['31 hashtags', { hashtags: Array.from({ length: 31 }, (_, index) => `tag${index}`) }, 'hashtags'],
    ['a caption of 2,201 characters', { caption: 'x'.repeat(2_201) }, 'caption'],
    ['a NUL', { caption: 'a\0b' }, 'caption'],
    ['eleven children', { children: Array(11).fill('https://media.example/a.jpg'), postType: 'carousel' }, 'children'],
    ['FTP', { contentUrl: 'ftp://media.example/a.jpg' }, 'contentUrl'],
    ['a password in an address', { contentUrl: 'https://user:secret@media.example/a.jpg' }, 'contentUrl'],
    ['a script in place of an address', { contentUrl: 'javascript:alert(1)' }, 'contentUrl'],
    ['an unknown type', { postType: 'poem' }, 'postType'],
    ['eleven retries', { maxRetries: 11 }, 'maxRetries'],
    ["a status of the client's", { status: 'published' }, 'status'],
    ["a platform of the client's", { platform: 'facebook' }, 'platform'],
  ])('is refused with %s, which is named', async (_, body, path) => {
    const refused = await draft(body);
    expect([refused.status, pathsOf(refused)]).toEqual([400, [path]]);
  });

  it('counts a caption as people do: 2,200 letters or emoji, not their bytes', async () => {
    expect((await draft({ caption: '🦷'.repeat(2_200) })).status).toBe(201);
    expect((await draft({ caption: '🦷'.repeat(2_201) })).status).toBe(400);
  });

  it('has children as a carousel only', async () => {
    const refused = await draft({ children: ['https://media.example/a.jpg', 'https://media.example/b.jpg'] });
    expect([...outcome(refused), pathsOf(refused)]).toEqual([422, 'rule-violated', ['children']]);
  });

  it('is made once for one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { socialAccountId: accountId, caption: 'Once' };
    const [one, other] = [
      await service.call('POST', posts(), { token: staff, body, headers }),
      await service.call('POST', posts(), { token: staff, body, headers }),
    ];
    expect([one.body.id, other.headers.get('idempotent-replayed')]).toEqual([other.body.id, 'true']);
  });

  it('is changed against the version that was seen, and moves to another account with its platform', async () => {
    const { body } = await draft({ caption: 'Before' });
    const read = await service.call('GET', posts(`/${body.id}`), { token: staff });
    const headers = { 'if-match': read.headers.get('etag') ?? '' };
    const page = await insertAccount(service.database, organisationId);
    const change = (changes: object) =>
      service.call('PATCH', posts(`/${body.id}`), { token: staff, headers, body: changes });
    const answers = await Promise.all([change({ socialAccountId: page }), change({ caption: 'After' })]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    const moved = await service.call('PATCH', posts(`/${body.id}`), { token: staff, body: { socialAccountId: page } });
    expect(moved.body).toMatchObject({ platform: 'facebook', socialAccountId: page });
  });

  it('is changed as a draft only', async () => {
    for (const status of ['queued', 'processing', 'published', 'failed', 'deleted']) {
      const id = await insertPost(service.database, accountId, { status });
      const refused = await service.call('PATCH', posts(`/${id}`), { token: staff, body: { caption: 'Late' } });
      expect([status, ...outcome(refused)]).toEqual([status, 409, 'post-not-draft']);
    }
  });
});

describe('A post', () => {
  it('is read by viewers, and written by staff, managers and owners alone', async () => {
    const { body } = await draft();
    for (const role of ['viewer', 'staff', 'clinic_admin', 'member', 'manager', 'owner'])
      expect((await service.call('GET', posts(`/${body.id}`), { token: await as(role) })).status).toBe(200);
    for (const role of ['viewer', 'member'])
      expect(outcome(await draft({}, await as(role)))).toEqual([403, 'role-too-low']);
    for (const role of ['clinic_admin', 'manager', 'owner']) expect((await draft({}, await as(role))).status).toBe(201);
  });

  it('of another organisation is not there, whatever is asked of it', async () => {
    const foreign = await insertPost(
      service.database,
      await insertAccount(service.database, foreignOrganisation, { platform: 'instagram' }),
    );
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { caption: 'Mine' }],
      ['DELETE', '', undefined],
      ['POST', '/duplicate', undefined],
      ['POST', '/schedule', { scheduledFor: '2026-12-24T10:00:00Z' }],
      ['POST', '/unschedule', undefined],
      ['POST', '/publish', undefined],
      ['POST', '/retry', {}],
    ] as const) {
      for (const id of [foreign, randomUUID()]) {
        const answer = await service.call(method, posts(`/${id}${path}`), { token: staff, body });
        expect([method, path, ...outcome(answer)]).toEqual([method, path, 404, 'not-found']);
      }
      const outside = `/organisations/${foreignOrganisation}/social/posts/${foreign}${path}`;
      expect(outcome(await service.call(method, outside, { token: staff, body }))).toEqual([404, 'not-found']);
    }
  });

  it('is drafted again from any state, with its content and nothing of what became of it', async () => {
    for (const status of ['draft', 'queued', 'processing', 'published', 'failed', 'deleted']) {
      const id = await insertPost(service.database, accountId, { status, caption: 'Again', hashtags: ['again'] });
      const copy = await service.call('POST', posts(`/${id}/duplicate`), { token: staff });
      expect(copy.status).toBe(201);
      expect(copy.body).toMatchObject({ status: 'draft', caption: 'Again', hashtags: ['again'], scheduledFor: null });
      expect(copy.body).toMatchObject({ platformPostId: null, errorCode: null, publishedAt: null });
      expect(copy.body.id).not.toBe(id);
    }
  });
});

describe('The list of posts', () => {
  let page: string;
  const list = (query: string) => service.call('GET', posts(query), { token: staff });
  beforeAll(async () => {
    page = await insertAccount(service.database, organisationId);
    for (let day = 1; day <= 5; day += 1)
      await insertPost(service.database, page, { status: 'queued', scheduled_for: `2027-03-0${day}T23:30:00Z` });
    await insertPost(service.database, page, { status: 'deleted' });
  });

  it('goes on from page to page, the newest first, without deleted ones', async () => {
    const first = await list(`?accountId=${page}&limit=3`);
    const second = await list(`?accountId=${page}&limit=3&cursor=${first.body.nextCursor}`);
    const times = [...first.body.data, ...second.body.data].map(({ createdAt }) => createdAt);
    expect(times).toHaveLength(5);
    expect(times).toEqual([...times].sort().reverse());
    expect(second.body.nextCursor).toBeNull();
    expect((await list(`?accountId=${page}&status=deleted`)).body.data).toHaveLength(1);
    expect(outcome(await list('?cursor=AAAA'))).toEqual([400, 'invalid-cursor']);
  });

  it('is narrowed by status, platform, account and the days of a zone', async () => {
    const utc = await list(`?accountId=${page}&from=2027-03-02&to=2027-03-03`);
    const berlin = await list(`?accountId=${page}&from=2027-03-02&to=2027-03-03&timeZone=Europe/Berlin`);
    const days = ({ body }: Answer) =>
      body.data.map(({ scheduledFor }: { scheduledFor: string }) => scheduledFor.slice(0, 10));
    expect(days(utc)).toEqual(['2027-03-03', '2027-03-02']);
    expect(days(berlin)).toEqual(['2027-03-02', '2027-03-01']);
    expect((await list(`?accountId=${page}&platform=instagram`)).body.data).toEqual([]);
    expect((await list(`?accountId=${page}&status=failed`)).body.data).toEqual([]);
  });
});

describe('The calendar', () => {
  let page: string;
  const calendar = (query: string, token = staff) => service.call('GET', posts(`/calendar?${query}`), { token });
  beforeAll(async () => {
    page = await insertAccount(service.database, organisationId);
    const at = (day: string, columns: object) =>
      insertPost(service.database, page, { scheduled_for: `${day}T22:30:00Z`, ...columns });
    await at('2027-05-01', { status: 'queued', caption: 'first' });
    await at('2027-05-02', { status: 'published', caption: 'second' });
    await at('2027-05-03', { status: 'failed', caption: 'third' });
    await at('2027-05-02', { status: 'deleted', caption: 'gone' });
    await insertPost(service.database, page, { caption: 'a draft without a time' });
  });
  const captions = ({ body }: Answer) => body.data.map(({ caption }: { caption: string }) => caption);

  it('shows whatever has a time in those days, by its time', async () => {
    const answer = await calendar('from=2027-05-01&to=2027-05-03', await as('viewer'));
    expect(captions(answer)).toEqual(['first', 'second', 'third']);
    expect(answer.body.isComplete).toBe(true);
    expect(Object.keys(answer.body.data[0])).not.toContain('platformPostId');
    expect(captions(await calendar('from=2027-05-02&to=2027-05-03&timeZone=Europe/Berlin'))).toEqual([
      'first',
      'second',
    ]);
  });

  it.each([
    'from=2027-05-02&to=2027-05-01',
    'from=2027-01-01&to=2027-04-03',
    'from=2027-02-30&to=2027-03-01',
    'from=2027-05-01',
    'from=2027-05-01&to=2027-05-02&timeZone=Mars/Base',
  ])('refuses %s', async (query) => {
    expect(outcome(await calendar(query))).toEqual([400, 'invalid-request']);
  });

  it('takes a quarter of a year at once', async () => {
    expect((await calendar('from=2027-01-01&to=2027-04-02')).status).toBe(200);
  });

  it('has a list of what is still to come, page by page, whatever waits included', async () => {
    const late = await insertPost(service.database, page, {
      ...{ status: 'queued', scheduled_for: '2026-01-01T00:00:00Z', caption: 'late' },
      ...{ next_attempt_at: null, waiting_reason: 'account-expired' },
    });
    const upcoming = (query: string) => service.call('GET', posts(`/upcoming${query}`), { token: staff });
    const first = await upcoming('?limit=1');
    expect(first.body.data).toMatchObject([{ id: late, waitingReason: 'account-expired' }]);
    const rest = await upcoming(`?cursor=${first.body.nextCursor}`);
    expect(captions(rest)).toContain('first');
    expect(captions(rest)).not.toContain('late');
    const times = rest.body.data.map(({ scheduledFor }: { scheduledFor: string }) => scheduledFor);
    expect(times).toEqual([...times].sort());
    expect(new Set(rest.body.data.map(({ status }: { status: string }) => status))).toEqual(
      new Set(['queued', 'processing']),
    );
  });
});
