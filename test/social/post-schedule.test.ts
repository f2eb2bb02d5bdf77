import { randomUUID } from 'node:crypto';
import { demoAddress } from '../../src/demo/demo.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type ConnectedPage, connectPage } from '../support/published-posts.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { insertAccount, insertPost } from '../support/social.js';

let meta: Meta;
let service: Service;
let staff: string;
let organisationId: string;
let page: ConnectedPage;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: meta.variables });
  staff = await service.tokenOf(demoAddress('staff', 'northside'));
  organisationId = (await service.call('GET', '/clinics', { token: staff })).body.data[0].organisationId;
  page = await connectPage(service, meta, organisationId, 'Northside');
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
afterEach(() => meta.control('faults/clear'));

const minutes = (count: number) => new Date(Date.now() + count * 60_000);
const outcome = ({ status, body }: Answer) => [status, body?.code];
const fieldsOf = ({ body }: Answer) =>
  body.errors.map(({ path, code }: { path: string; code: string }) => [path, code]);
const codesOf = ({ body }: Answer) => body.warnings.map(({ code }: { code: string }) => code);
const posts = (path: string) => `/organisations/${organisationId}/social/posts${path}`;
const send = (postId: string, action: string, body?: object) =>
  service.call('POST', posts(`/${postId}/${action}`), { token: staff, body });
const schedule = (postId: string, at: Date) => send(postId, 'schedule', { scheduledFor: at.toISOString() });
/** An account of its own, so that what other tests plan is not in its neighbourhood. */
const ownPage = () => insertAccount(service.database, organisationId);
const words = async (columns: object = {}, accountId?: string) =>
  insertPost(service.database, accountId ?? (await ownPage()), { content_url: null, ...columns });
const photo = (name: string) => ({ content_url: meta.media(name) });
const rowOf = async (postId: string) =>
  (await service.database.sql('SELECT * FROM social_media_posts WHERE id = $1', [postId]))[0] as Record<
    string,
    unknown
  >;
const jobOf = async (postId: string) =>
  (
    await service.database.sql<{ run_at: Date }>(
      `SELECT run_at FROM graphile_worker.jobs WHERE key = 'social.publish-post:' || $1`,
      [postId],
    )
  ).map(({ run_at }) => run_at.getTime());

describe('Scheduling', () => {
  it('queues a draft with the job that publishes it at its time', async () => {
    const id = await words();
    const at = minutes(60);
    const answer = await schedule(id, at);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      status: 'queued',
      scheduledFor: at.toISOString(),
      nextAttemptAt: at.toISOString(),
    });
    expect(answer.body).toMatchObject({ warnings: [], publishingLimit: null });
    expect(await jobOf(id)).toEqual([at.getTime()]);
  });

  it('moves a queued post to another time, with its one job', async () => {
    const id = await words();
    await schedule(id, minutes(60));
    const later = minutes(90);
    expect((await schedule(id, later)).status).toBe(200);
    expect(await jobOf(id)).toEqual([later.getTime()]);
  });

  it('takes a time up to fifteen minutes back, for clocks that differ, and looks at the post at once', async () => {
    const id = await words();
    const at = minutes(-14);
    const answer = await schedule(id, at);
    expect(answer.body.scheduledFor).toBe(at.toISOString());
    expect(Date.parse(answer.body.nextAttemptAt)).toBeGreaterThan(at.getTime() + 10 * 60_000);
  });

  it.each([
    ['more than fifteen minutes back', { scheduledFor: minutes(-16).toISOString() }, ['scheduledFor', 'in-the-past']],
    [
      'more than a year ahead',
      { scheduledFor: minutes(368 * 24 * 60).toISOString() },
      ['scheduledFor', 'too-far-ahead'],
    ],
    [
      'skipped by the clocks',
      { localTime: '2027-03-28T02:30', timeZone: 'Europe/Berlin' },
      ['localTime', 'skipped-by-the-clocks'],
    ],
    ['of no day', { localTime: '2027-02-30T10:00', timeZone: 'Europe/Berlin' }, ['localTime', 'no-such-time']],
    ['of no hour', { localTime: '2027-02-20T24:10', timeZone: 'Europe/Berlin' }, ['localTime', 'no-such-time']],
  ])('refuses a time %s, and nothing is queued', async (_, body, field) => {
    const id = await words();
    const refused = await send(id, 'schedule', body);
    expect([...outcome(refused), fieldsOf(refused)]).toEqual([422, 'schedule-time-refused', [field]]);
    expect(await rowOf(id)).toMatchObject({ status: 'draft', scheduled_for: null });
    expect(await jobOf(id)).toEqual([]);
  });

  it.each([
    ['nothing', {}],
    ['two times', { scheduledFor: '2027-01-01T10:00:00Z', localTime: '2027-01-01T10:00', timeZone: 'Europe/Berlin' }],
    ['a local time without a zone', { localTime: '2027-01-01T10:00' }],
    ['a zone that is none', { localTime: '2027-01-01T10:00', timeZone: 'Mars/Base' }],
    ['a time without an offset', { scheduledFor: '2027-01-01T10:00:00' }],
    ['a zone beside an offset', { scheduledFor: '2027-01-01T10:00:00Z', timeZone: 'Europe/Berlin' }],
    ['words', { scheduledFor: 'tomorrow' }],
  ])('is asked for with a time: %s is refused', async (_, body) => {
    expect(outcome(await send(await words(), 'schedule', body))).toEqual([400, 'invalid-request']);
  });

  it("takes the time of the clinic's clock, in summer and in winter", async () => {
    const id = await words();
    const at = async (localTime: string) =>
      (await send(id, 'schedule', { localTime, timeZone: 'Europe/Berlin' })).body.scheduledFor;
    expect(await at('2027-03-27T09:00')).toBe('2027-03-27T08:00:00.000Z');
    expect(await at('2027-03-28T09:00')).toBe('2027-03-28T07:00:00.000Z');
  });

  it('takes the first of a time that the clocks show twice, and says so', async () => {
    const answer = await send(await words(), 'schedule', { localTime: '2027-10-31T02:30', timeZone: 'Europe/Berlin' });
    expect(answer.body.scheduledFor).toBe('2027-10-31T00:30:00.000Z');
    expect(codesOf(answer)).toEqual(['ambiguous-local-time']);
  });

  it('is for an account that is connected', async () => {
    for (const status of ['expired', 'error', 'disconnected']) {
      const accountId = await insertAccount(service.database, organisationId, { status });
      const id = await words({}, accountId);
      expect([status, ...outcome(await schedule(id, minutes(60)))]).toEqual([status, 409, 'account-not-connected']);
    }
  });

  it('and deleting at once leave one of the two, never a job for a post that is gone', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => words()));
    const pairs = await Promise.all(
      ids.map((id) =>
        Promise.all([
          schedule(id, minutes(60)),
          service.call('DELETE', posts(`/${id}`), { token: staff }),
          send(id, 'publish'),
        ]),
      ),
    );
    for (const [index, answers] of pairs.entries()) {
      const row = await rowOf(ids[index] ?? '');
      expect(answers.every(({ status }) => [200, 204, 409].includes(status))).toBe(true);
      // Whoever came last: deleted after it was queued, or refused because it was gone.
      expect(row.status).toBe('deleted');
      expect([answers[1].status, row.next_attempt_at]).toEqual([204, null]);
    }
  });

  it('queues what was checked, or nothing', async () => {
    const id = await words({ content_url: `${meta.url}/media/slow.jpg?delayMs=300` });
    const scheduling = schedule(id, minutes(60));
    await new Promise((resolve) => setTimeout(resolve, 150));
    const changed = await service.call('PATCH', posts(`/${id}`), {
      token: staff,
      body: { contentUrl: 'https://10.0.0.1/a.jpg' },
    });
    expect(changed.status).toBe(200);
    expect(outcome(await scheduling)).toEqual([409, 'post-changed-meanwhile']);
    expect(await rowOf(id)).toMatchObject({ status: 'draft' });
  });

  it('holds no connection while it asks the server of its media', async () => {
    const id = await words({ content_url: `${meta.url}/media/slow.jpg?delayMs=1200` });
    const scheduling = schedule(id, minutes(60));
    await new Promise((resolve) => setTimeout(resolve, 600));
    const [{ open = -1 } = {}] = await service.database.sql<{ open: number }>(
      `SELECT count(*)::int AS open FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'polyclinic_api' AND state LIKE 'idle in transaction%'`,
    );
    expect(open).toBe(0);
    expect((await scheduling).status).toBe(200);
  });
});

describe('Warnings', () => {
  it('tell of the same content within a day, and of another post within the hour, and refuse neither', async () => {
    const account = await ownPage();
    const first = await words(photo('one.jpg'), account);
    const again = await words(photo('one.jpg'), account);
    const other = await words(photo('two.jpg'), account);
    await schedule(first, minutes(120));
    const same = await schedule(again, minutes(120 + 23 * 60));
    expect(same.body.warnings).toMatchObject([{ code: 'same-content-within-a-day', postId: first }]);
    expect((await schedule(other, minutes(170))).body.warnings).toMatchObject([
      { code: 'close-to-another-post', postId: first },
    ]);
    expect(codesOf(await schedule(again, minutes(120 + 25 * 60)))).toEqual([]);
    expect(codesOf(await schedule(other, minutes(190)))).toEqual([]);
  });

  it('know the same words, the same carousel, and what is published already', async () => {
    const account = await ownPage();
    const children = [meta.media('a.jpg'), meta.media('b.jpg')];
    const carousel = { post_type: 'carousel', children };
    await words({ caption: 'We moved', status: 'published', scheduled_for: minutes(-30) }, account);
    await words({ ...carousel, status: 'queued', scheduled_for: minutes(600) }, account);
    expect(codesOf(await schedule(await words({ caption: 'We moved' }, account), minutes(60)))).toEqual([
      'same-content-within-a-day',
    ]);
    expect(codesOf(await schedule(await words(carousel, account), minutes(800)))).toEqual([
      'same-content-within-a-day',
    ]);
  });

  it('know what may stand on the page, because its outcome is unknown', async () => {
    const account = await ownPage();
    const unknown = { status: 'failed', error_code: 'outcome-unknown', scheduled_for: minutes(-30) };
    const first = await words({ ...unknown, caption: 'Perhaps' }, account);
    const copy = await schedule(await words({ caption: 'Perhaps' }, account), minutes(60));
    expect(copy.body.warnings).toMatchObject([{ code: 'same-content-within-a-day', postId: first }]);
  });

  it('do not tell of other accounts, of drafts, of what is deleted or has failed', async () => {
    const account = await ownPage();
    const at = minutes(120);
    await words({ caption: 'Elsewhere', status: 'queued', scheduled_for: at });
    for (const status of ['draft', 'deleted', 'failed'])
      await words({ caption: 'Elsewhere', status, scheduled_for: at }, account);
    expect(codesOf(await schedule(await words({ caption: 'Elsewhere' }, account), at))).toEqual([]);
  });
});

describe("Instagram's limit of posts", () => {
  const draft = async () => insertPost(service.database, page.instagramAccountId, photo('white-teeth.jpg'));
  const limit = () =>
    service.call(
      'GET',
      `/organisations/${organisationId}/social/accounts/${page.instagramAccountId}/publishing-limit`,
      {
        token: staff,
      },
    );

  it('is asked and shown; a full one is no refusal', async () => {
    await meta.control('limit', { instagramId: page.instagramId, used: 3, total: 50 });
    expect((await schedule(await draft(), minutes(6_000))).body.publishingLimit).toMatchObject({ used: 3, total: 50 });
    await meta.control('limit', { instagramId: page.instagramId, used: 50, total: 50 });
    const full = await schedule(await draft(), minutes(9_000));
    expect([full.status, codesOf(full)]).toEqual([200, ['publishing-limit-reached']]);
    expect((await limit()).body.publishingLimit).toMatchObject({ used: 50, total: 50, windowSeconds: 86_400 });
  });

  it('is none for a page', async () => {
    const path = `/organisations/${organisationId}/social/accounts/${page.pageAccountId}/publishing-limit`;
    expect((await service.call('GET', path, { token: staff })).body).toEqual({ publishingLimit: null });
  });

  it('stops nobody from scheduling while Instagram is down; asked for by itself it is a problem', async () => {
    await meta.fault({ on: 'instagram.limit', kind: 'internal', times: 20 });
    const answer = await schedule(await draft(), minutes(12_000));
    expect([answer.status, answer.body.publishingLimit]).toEqual([200, null]);
    expect(outcome(await limit())).toEqual([503, 'meta-unavailable']);
  });

  it('is not told of an account of another organisation', async () => {
    const [foreign] = await service.database.sql<{ id: string }>(
      `SELECT id FROM organisations WHERE slug = 'southbank'`,
    );
    const theirs = await insertAccount(service.database, foreign?.id ?? '', { platform: 'instagram' });
    for (const id of [theirs, randomUUID()]) {
      const path = `/organisations/${organisationId}/social/accounts/${id}/publishing-limit`;
      expect(outcome(await service.call('GET', path, { token: staff }))).toEqual([404, 'not-found']);
    }
  });

  it('that is answered with an expired token ends the account, and the post is not queued', async () => {
    const other = await connectPage(service, meta, organisationId, 'Lapsed');
    const id = await insertPost(service.database, other.instagramAccountId, photo('late.jpg'));
    await meta.control('tokens/expire', { personId: other.personId });
    expect(outcome(await schedule(id, minutes(60)))).toEqual([409, 'account-not-connected']);
    expect(await rowOf(id)).toMatchObject({ status: 'draft' });
  });
});
