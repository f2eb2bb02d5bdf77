import { demoAddress } from '../../src/demo/demo.js';
import { type PostState, postStates, postTransitions } from '../../src/modules/social/posts/post-states.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { insertAccount, insertPost } from '../support/social.js';

let service: Service;
let staff: string;
let userId: string;
let organisationId: string;
let accountId: string;

beforeAll(async () => {
  service = await startService({ variables: { MEDIA_ALLOW_PRIVATE: 'true' } });
  staff = await service.tokenOf(demoAddress('staff', 'northside'));
  organisationId = (await service.call('GET', '/clinics', { token: staff })).body.data[0].organisationId;
  userId = (await service.call('GET', '/auth/me', { token: staff })).body.id;
  accountId = await insertAccount(service.database, organisationId);
});
afterAll(() => service.stop());

const outcome = ({ status, body }: Answer) => [status, body?.code];
const posts = (path: string) => `/organisations/${organisationId}/social/posts${path}`;
const send = (postId: string, action: string, body?: object) =>
  service.call('POST', posts(`/${postId}/${action}`), { token: staff, body });
const remove = (postId: string) => service.call('DELETE', posts(`/${postId}`), { token: staff });
const make = (columns: object) => insertPost(service.database, accountId, { content_url: null, ...columns });
const rowOf = async (postId: string) =>
  (await service.database.sql('SELECT * FROM social_media_posts WHERE id = $1', [postId]))[0] as Record<
    string,
    unknown
  >;

/** What a person asks for, from where it is granted, and what becomes of it. */
const actions: [string, (postId: string) => Promise<Answer>, PostState[], PostState][] = [
  ['schedule', (id) => send(id, 'schedule', { scheduledFor: soon() }), ['draft', 'queued', 'failed'], 'queued'],
  ['publish', (id) => send(id, 'publish'), ['draft', 'queued', 'failed'], 'queued'],
  ['retry', (id) => send(id, 'retry', {}), ['failed'], 'queued'],
  ['unschedule', (id) => send(id, 'unschedule'), ['queued', 'failed'], 'draft'],
  ['delete', (id) => remove(id), ['draft', 'queued', 'published', 'failed'], 'deleted'],
];
const soon = () => new Date(Date.now() + 3_600_000).toISOString();

describe('Over HTTP', () => {
  it.each(actions)('%s is granted from its states, and from no other', async (_, act, from, to) => {
    for (const status of postStates) {
      const id = await make({ status });
      const answer = await act(id);
      const row = await rowOf(id);
      if (from.includes(status)) expect([status, answer.status < 300, row.status]).toEqual([status, true, to]);
      else expect([status, ...outcome(answer), row.status]).toEqual([status, 409, 'post-state', status]);
    }
  });

  it('publishing now a draft without a time gives it this one', async () => {
    const id = await make({});
    const before = Date.now();
    const answer = await send(id, 'publish');
    expect(answer.status).toBe(200);
    expect(Math.abs(Date.parse(answer.body.scheduledFor) - before)).toBeLessThan(10_000);
  });

  it('publishing now brings forward what is scheduled for later', async () => {
    const id = await make({ status: 'queued', scheduled_for: soon() });
    const answer = await send(id, 'publish');
    expect(Date.parse(answer.body.nextAttemptAt)).toBeLessThan(Date.now() + 1_000);
  });

  it('deleting a draft that never had a time gives it one; what had one keeps it', async () => {
    const draft = await make({});
    expect((await remove(draft)).status).toBe(204);
    expect((await rowOf(draft)).scheduled_for).toBeInstanceOf(Date);
    const queued = await make({ status: 'queued', scheduled_for: '2027-01-02T03:04:05Z', next_attempt_at: new Date() });
    await remove(queued);
    expect(await rowOf(queued)).toMatchObject({
      scheduled_for: new Date('2027-01-02T03:04:05Z'),
      next_attempt_at: null,
    });
  });

  it('deleting what is published leaves what is known of the page', async () => {
    const id = await make({ status: 'published' });
    const { platform_post_id, published_at } = await rowOf(id);
    expect((await remove(id)).status).toBe(204);
    expect(await rowOf(id)).toMatchObject({ status: 'deleted', platform_post_id, published_at });
    const read = await service.call('GET', posts(`/${id}`), { token: staff });
    expect(read.body).toMatchObject({ status: 'deleted', platformPostId: platform_post_id });
  });

  it('a post is deleted once', async () => {
    const id = await make({});
    const answers = await Promise.all([remove(id), remove(id), remove(id)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409, 409]);
  });

  it('scheduling anew forgets the attempt before it', async () => {
    const left = { container_id: '17', child_containers: ['1', '2'], container_checks: 4, retry_count: 3 };
    const id = await make({ status: 'failed', error_code: 'meta-refused', error_message: 'Refused.', ...left });
    expect((await send(id, 'retry', {})).status).toBe(200);
    expect(await rowOf(id)).toMatchObject({
      ...{ status: 'queued', error_code: null, error_message: null, container_id: null, child_containers: [] },
      ...{ container_checks: 0, retry_count: 0 },
    });
  });

  it('a post of unknown outcome is tried again only when somebody has looked at the page', async () => {
    const unknown = { status: 'failed', error_code: 'outcome-unknown', publish_started_at: new Date() };
    const id = await make(unknown);
    for (const refused of [
      await send(id, 'retry', {}),
      await send(id, 'publish'),
      await send(id, 'schedule', { scheduledFor: soon() }),
      await send(id, 'unschedule'),
    ])
      expect(outcome(refused)).toEqual([409, 'post-outcome-unknown']);
    expect(await rowOf(id)).toMatchObject({ status: 'failed', error_code: 'outcome-unknown' });
    const confirmed = await send(id, 'retry', { confirmNotPublished: true });
    expect(confirmed.body).toMatchObject({ status: 'queued', errorCode: null });
    expect((await rowOf(id)).publish_started_at).toBeNull();
    expect((await remove(await make(unknown))).status).toBe(204);
  });

  it('retrying twice at once queues once', async () => {
    const id = await make({ status: 'failed', error_code: 'meta-refused' });
    const answers = await Promise.all([send(id, 'retry', {}), send(id, 'retry', {})]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const jobs = await service.database.sql(
      `SELECT FROM graphile_worker.jobs WHERE key = 'social.publish-post:' || $1`,
      [id],
    );
    expect(jobs).toHaveLength(1);
  });
});

describe('The database', () => {
  /** As the staff member's requests do it, whatever the service asks before. */
  const asStaff = (statement: string) => as(`SET LOCAL ROLE authenticated`, userId, statement);
  const asService = (statement: string) => as(`SET LOCAL ROLE service_role`, '', statement);
  const as = async (role: string, user: string, statement: string): Promise<string> => {
    try {
      await service.database.sql(`
        BEGIN; SELECT set_config('app.user_id', '${user}', true); ${role}; ${statement}; COMMIT`);
      return 'done';
    } catch (error) {
      await service.database.sql('ROLLBACK').catch(() => undefined);
      return (error as Error).message;
    }
  };
  /** What the columns need to fit a status; whether one may go there is another question. */
  const fitting: Record<PostState, string> = {
    draft: `publish_started_at = NULL`,
    queued: `scheduled_for = now(), publish_started_at = NULL`,
    processing: `scheduled_for = now()`,
    published: `scheduled_for = now()`,
    failed: `error_code = 'meta-refused'`,
    deleted: `scheduled_for = now()`,
  };
  /** Only the worker's: to begin an attempt, and what came of it. */
  const byWorker: Partial<Record<PostState, string>> = {
    processing: `attempt_id = app.uuid_v7(), claimed_until = now() + interval '1 minute'`,
    published: `platform_post_id = '1', published_at = now()`,
  };
  const move = (id: string, to: PostState, extra?: string) =>
    `UPDATE social_media_posts SET status = '${to}', ${[fitting[to], extra].filter(Boolean).join(', ')} WHERE id = '${id}'`;

  it.each(postStates)('lets the worker go from %s along the table of transitions, and nowhere else', async (from) => {
    for (const to of postStates) {
      if (from === to && from !== 'deleted' && from !== 'processing') continue;
      // As the worker is granted it: the content and the rest of the row are out of its reach.
      const id = await make({ status: from });
      const extra = [byWorker[to], from === 'processing' && to !== 'processing' ? 'claimed_until = NULL' : undefined];
      const answer = await asService(move(id, to, extra.filter(Boolean).join(', ')));
      const isAllowed = postTransitions[from].includes(to);
      expect([from, to, answer]).toEqual([from, to, isAllowed ? 'done' : 'post-state']);
    }
  });

  it('lets no person begin an attempt, end one, or declare a post published', async () => {
    for (const [from, to] of [
      ['queued', 'processing'],
      ['processing', 'queued'],
      ['processing', 'failed'],
      ['processing', 'deleted'],
      ['processing', 'published'],
      ['queued', 'published'],
      ['draft', 'published'],
    ] as const) {
      const id = await make({ status: from });
      expect([from, to, await asStaff(move(id, to))]).toEqual([from, to, 'post-state']);
    }
    const id = await make({});
    expect(await asStaff(`UPDATE social_media_posts SET platform_post_id = '1' WHERE id = '${id}'`)).toContain(
      'denied',
    );
    expect(await asStaff(`UPDATE social_media_posts SET likes_count = 1000000 WHERE id = '${id}'`)).toContain('denied');
    expect(
      await asStaff(`UPDATE social_media_posts SET organisation_id = organisation_id WHERE id = '${id}'`),
    ).toContain('denied');
    expect(await asStaff(`DELETE FROM social_media_posts WHERE id = '${id}'`)).toContain('denied');
  });

  it('keeps the content of what is no draft', async () => {
    for (const status of ['queued', 'failed', 'published'] as const) {
      const id = await make({ status });
      const answer = await asStaff(`UPDATE social_media_posts SET caption = 'Slipped in' WHERE id = '${id}'`);
      expect([status, answer]).toEqual([status, 'post-not-draft']);
    }
  });

  it('begins every post as a draft or in the queue', async () => {
    const insert = (status: string) =>
      asStaff(`INSERT INTO social_media_posts (organisation_id, social_account_id, platform, content_type, status, scheduled_for, error_code)
        VALUES ('${organisationId}', '${accountId}', 'facebook', 'image', '${status}', now(), 'x')`);
    expect(await insert('draft')).toBe('done');
    for (const status of ['processing', 'published', 'failed', 'deleted'])
      expect(await insert(status)).toBe('post-state');
  });

  it('knows no post outside draft and failed without a time', async () => {
    const id = await make({});
    for (const status of ['queued', 'deleted'])
      expect(await asStaff(`UPDATE social_media_posts SET status = '${status}' WHERE id = '${id}'`)).toContain(
        'social_media_posts_scheduled_for_check',
      );
  });

  it('has only posts whose account is of their platform and organisation', async () => {
    const [other] = await service.database.sql<{ id: string }>(`SELECT id FROM organisations WHERE slug = 'southbank'`);
    const foreign = await insertAccount(service.database, other?.id ?? '');
    for (const [platform, account] of [
      ['instagram', accountId],
      ['facebook', foreign],
    ])
      expect(
        await asStaff(`INSERT INTO social_media_posts (organisation_id, social_account_id, platform, content_type)
          VALUES ('${organisationId}', '${account}', '${platform}', 'image')`),
      ).toContain('social_media_posts_social_account_id_fkey');
  });

  it('lets viewers write nothing', async () => {
    const id = await make({});
    const viewer = (
      await service.call('GET', '/auth/me', { token: await service.tokenOf(demoAddress('viewer', 'northside')) })
    ).body.id;
    expect(
      await as(
        'SET LOCAL ROLE authenticated',
        viewer,
        `UPDATE social_media_posts SET caption = 'Mine' WHERE id = '${id}'`,
      ),
    ).toBe('done');
    expect((await rowOf(id)).caption).not.toBe('Mine');
  });
});
