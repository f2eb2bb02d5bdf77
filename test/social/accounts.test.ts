import { demoAddress } from '../../src/demo/demo.js';
import { MetaDataHolders } from '../../src/integrations/meta/meta-data-holders.js';
import { JobRegistry } from '../../src/kernel/jobs/job-registry.js';
import { type Meta, startMeta } from '../support/meta.js';
import { captureLog } from '../support/probe.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { connectSocial, insertAccount, insertPending, insertPost } from '../support/social.js';

/** Connected accounts: who sees what of them, how they are, and how they end. */

let meta: Meta;
let service: Service;
let log: Record<string, unknown>[];
let organisationId: string;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({
    variables: { ...meta.variables, LOG_LEVEL: 'trace' },
    beforeListening: (application) => {
      log = captureLog(application);
    },
  });
  const token = await as('owner');
  organisationId = (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
});
afterEach(async () => {
  await meta.control('faults/clear');
  await service.database.sql('DELETE FROM social_media_accounts');
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const runJob = (name: string, payload: object = {}) => service.application.get(JobRegistry).get(name).run(payload);

async function call(method: string, path: string, role = 'owner'): Promise<Answer> {
  return service.call(method, `/organisations/${organisationId}/social/accounts${path}`, { token: await as(role) });
}

async function somebody(name = 'Somebody') {
  const personId = await meta.person(name);
  await meta.page({ personId, name: `Page of ${name}`, instagram: { username: `ig.${personId}` } });
  return personId;
}

async function connect(personId: string, platform: 'instagram' | 'facebook' = 'facebook'): Promise<string> {
  const [id = ''] = await connectSocial(service, meta, {
    organisationId,
    token: await as('owner'),
    platform,
    personId,
  });
  return id;
}

/** All rows of every table, as JSON. */
async function textOfTables(): Promise<[table: string, text: string][]> {
  const tables = await service.database.sql<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
  );
  const texts: [string, string][] = [];
  for (const { name } of tables) {
    const [all] = await service.database.sql<{ text: string | null }>(
      `SELECT string_agg(to_jsonb(t)::text, ' ') AS text FROM ${name} t`,
    );
    texts.push([name, all?.text ?? '']);
  }
  return texts;
}

async function rowOf(accountId: string): Promise<Record<string, unknown>> {
  const [row] = await service.database.sql('SELECT * FROM social_media_accounts WHERE id = $1', [accountId]);
  return row as Record<string, unknown>;
}

const makeStale = (accountId: string) =>
  service.database.sql(
    `UPDATE social_media_accounts SET health_checked_at = now() - interval '6 minutes' WHERE id = $1`,
    [accountId],
  );

const jobsOf = async (name: string) =>
  service.database.sql<{ payload: Record<string, string> }>(
    `SELECT j.payload FROM graphile_worker._private_jobs j JOIN graphile_worker._private_tasks t ON t.id = j.task_id
      WHERE t.identifier = $1`,
    [name],
  );

describe('The list of accounts', () => {
  it('stands by name, in pages, and is filtered by status, platform and end', async () => {
    const at = (days: number) => new Date(Date.now() + days * 86_400_000);
    await insertAccount(service.database, organisationId, { username: 'c', token_expires_at: at(6.9) });
    await insertAccount(service.database, organisationId, { username: 'a', platform: 'instagram' });
    await insertAccount(service.database, organisationId, { username: 'd', data_access_expires_at: at(2) });
    await insertAccount(service.database, organisationId, { username: 'e', token_expires_at: at(8) });
    await insertAccount(service.database, organisationId, {
      username: 'b',
      status: 'expired',
      token_expires_at: at(-1),
    });
    const names = async (query = '') =>
      (await call('GET', query)).body.data.map(({ username }: { username: string }) => username).join('');
    expect(await names()).toBe('abcde');
    expect(await names('?status=expired')).toBe('b');
    expect(await names('?platform=instagram')).toBe('a');
    expect(await names('?expiring=7d')).toBe('cd');
    expect(await names('?expiring=9d')).toBe('cde');
    const first = (await call('GET', '?limit=3')).body;
    expect(await names(`?limit=3&cursor=${first.nextCursor}`)).toBe('de');
    for (const query of ['?expiring=7', '?expiring=0d', '?status=unknown', '?platform=myspace', '?cursor=x'])
      expect([query, (await call('GET', query)).status]).toEqual([query, 400]);
  });

  it('is for everybody of the organisation to read, for its managers to change, and nobody else’s', async () => {
    const accountId = await connect(await somebody());
    for (const [role, read, change] of [
      ...['viewer', 'staff', 'provider', 'clinic_admin', 'member'].map((each) => [each, 200, 403]),
      ...[['patient', 404, 404]],
    ] as [string, number, number][]) {
      expect([role, (await call('GET', '', role)).status]).toEqual([role, read]);
      expect([role, (await call('GET', `/${accountId}`, role)).status]).toEqual([role, read]);
      expect([role, (await call('POST', `/${accountId}/refresh`, role)).status]).toEqual([role, change]);
      expect([role, (await call('DELETE', `/${accountId}`, role)).status]).toEqual([role, change]);
    }
    const token = await as('owner', 'southbank');
    const own = (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
    for (const where of [organisationId, own])
      for (const [method, path] of [
        ['GET', ''],
        ['POST', '/refresh'],
        ['DELETE', ''],
      ]) {
        const address = `/organisations/${where}/social/accounts/${accountId}${path}`;
        expect((await service.call(String(method), address, { token })).status).toBe(404);
      }
    expect((await rowOf(accountId)).status).toBe('active');
    expect((await call('POST', `/${accountId}/refresh`, 'manager')).status).toBe(200);
    expect((await call('DELETE', `/${accountId}`, 'manager')).status).toBe(204);
  });
});

describe('The health of an account', () => {
  it('is asked of Meta once within five minutes', async () => {
    const accountId = await connect(await somebody(), 'instagram');
    await meta.control('calls/clear', {});
    const capabilities = { canPublishFeed: true, canPublishStories: true, canPublishReels: true };
    expect((await call('GET', `/${accountId}`)).body).toMatchObject({ health: 'ok', status: 'active', capabilities });
    expect(await meta.count('debug_token')).toBe(0);
    await makeStale(accountId);
    await call('GET', `/${accountId}`, 'viewer');
    await call('GET', `/${accountId}`, 'viewer');
    expect(await meta.count('debug_token')).toBe(1);
  });

  it('shows a permission that was withdrawn, and takes the capability', async () => {
    const personId = await somebody();
    const accountId = await connect(personId, 'instagram');
    await meta.control('permissions/revoke', { personId, permission: 'instagram_content_publish' });
    await makeStale(accountId);
    const capabilities = { canPublishFeed: false, canPublishStories: false, canPublishReels: false };
    expect((await call('GET', `/${accountId}`)).body).toMatchObject({
      health: 'warning',
      status: 'active',
      capabilities,
    });
  });

  it('ends an account whose token counts no more: its posts wait, its owners get a mail', async () => {
    const personId = await somebody();
    const accountId = await connect(personId);
    const postId = await insertPost(service.database, accountId, { status: 'queued' });
    await meta.control('tokens/revoke', { personId });
    await makeStale(accountId);
    const { body } = await call('GET', `/${accountId}`);
    expect(body).toMatchObject({ health: 'error', status: 'expired', capabilities: { canPublishFeed: false } });
    expect(body.errorMessage).toContain('Connect it again');
    const [post] = await service.database.sql('SELECT * FROM social_media_posts WHERE id = $1', [postId]);
    expect(post).toMatchObject({ status: 'queued', waiting_reason: 'account-expired', next_attempt_at: null });
    expect((await jobsOf('social.mail-lapse')).filter(({ payload }) => payload.accountId === accountId)).toHaveLength(
      1,
    );
  });

  it.each(['internal', 'timeout', 'malformed', 'rate-limited'] as const)(
    'is what was known last while Meta answers %s',
    async (kind) => {
      const own = await startService({ variables: meta.variables, database: service.database });
      const accountId = await insertAccount(service.database, organisationId, {
        health: 'ok',
        health_checked_at: new Date(0),
      });
      const { keepToken } = await import('../support/social.js');
      await keepToken(own, accountId, { page: 'a-token' });
      await meta.fault({ on: 'debug_token', kind, times: 3 });
      const token = await own.tokenOf(demoAddress('owner', 'northside'));
      const path = `/organisations/${organisationId}/social/accounts/${accountId}`;
      const began = Date.now();
      const answer = await own.call('GET', path, { token });
      expect([answer.status, answer.body.health, answer.body.status]).toEqual([200, 'ok', 'active']);
      expect(Date.now() - began).toBeLessThan(5_000);
      await own.stop();
    },
  );

  it('is an error where the tokens do not open', async () => {
    const accountId = await insertAccount(service.database, organisationId);
    expect((await call('GET', `/${accountId}`)).body).toMatchObject({ health: 'error', status: 'active' });
  });
});

describe('An account that is disconnected', () => {
  it('has no tokens any more, keeps its posts, and lets queued ones wait', async () => {
    const accountId = await connect(await somebody());
    const published = await insertPost(service.database, accountId, { status: 'published' });
    const queued = await insertPost(service.database, accountId, { status: 'queued' });
    expect((await call('DELETE', `/${accountId}`)).status).toBe(204);
    expect(await rowOf(accountId)).toMatchObject({
      ...{ status: 'disconnected', access_token_sealed: null, refresh_token_sealed: null, token_expires_at: null },
    });
    const posts = await service.database.sql<{ id: string }>(
      'SELECT id, status, waiting_reason FROM social_media_posts',
    );
    expect(posts).toEqual([
      { id: published, status: 'published', waiting_reason: null },
      { id: queued, status: 'queued', waiting_reason: 'account-expired' },
    ]);
    expect((await call('GET', `/${accountId}`)).body.status).toBe('disconnected');
    const again = await call('DELETE', `/${accountId}`);
    expect(again.body).toMatchObject({ status: 409, code: 'account-not-connected' });
    expect((await call('POST', `/${accountId}/refresh`)).body).toMatchObject({ code: 'account-not-connected' });
    expect((await call('DELETE', `/${organisationId}`)).status).toBe(404);
  });

  it('is so at once although Meta is away; a job takes the consent back, and is tried until it did', async () => {
    const facebookUserId = await somebody();
    const accountId = await connect(facebookUserId, 'instagram');
    await meta.fault({ on: 'permissions.revoke', kind: 'internal' });
    expect((await call('DELETE', `/${accountId}`)).status).toBe(204);
    expect((await jobsOf('social.withdraw-consent')).map(({ payload }) => payload)).toContainEqual({ facebookUserId });
    await expect(runJob('social.withdraw-consent', { facebookUserId })).rejects.toThrow();
    await meta.control('calls/clear', {});
    await runJob('social.withdraw-consent', { facebookUserId });
    expect(await meta.count('permissions.revoke')).toBeGreaterThanOrEqual(5);
    // What the log-in hangs on was not taken back.
    expect((await meta.calls()).every(({ url }) => url.includes('permissions/'))).toBe(true);
    await runJob('social.withdraw-consent', { facebookUserId });
  });

  it('leaves the consent at Meta while another account here hangs on it', async () => {
    const facebookUserId = await somebody();
    const page = await connect(facebookUserId);
    const instagram = await connect(facebookUserId, 'instagram');
    await call('DELETE', `/${page}`);
    await meta.control('calls/clear', {});
    await runJob('social.withdraw-consent', { facebookUserId });
    expect(await meta.count('permissions.revoke')).toBe(0);
    await makeStale(instagram);
    expect((await call('GET', `/${instagram}`)).body).toMatchObject({ status: 'active', health: 'ok' });
  });

  it('works again when it is connected again, in the same row, and its posts go on', async () => {
    const personId = await somebody();
    const accountId = await connect(personId);
    const later = new Date(Date.now() + 86_400_000);
    await insertPost(service.database, accountId, {
      status: 'queued',
      scheduled_for: new Date(Date.now() - 86_400_000),
    });
    await insertPost(service.database, accountId, { status: 'queued', scheduled_for: later });
    await call('DELETE', `/${accountId}`);
    expect(await connect(personId)).toBe(accountId);
    expect(await rowOf(accountId)).toMatchObject({ status: 'active', error_message: null, connection_error_count: 0 });
    const posts = await service.database.sql<{ id: string; waiting_reason: null; next_attempt_at: Date }>(
      'SELECT id, waiting_reason, next_attempt_at FROM social_media_posts ORDER BY scheduled_for',
    );
    expect(posts.map(({ waiting_reason }) => waiting_reason)).toEqual([null, null]);
    expect(Math.abs(Number(posts[0]?.next_attempt_at) - Date.now())).toBeLessThan(60_000);
    expect(posts[1]?.next_attempt_at).toEqual(later);
    const jobs = (await jobsOf('social.publish-post')).map(({ payload }) => payload.postId);
    expect(jobs).toEqual(expect.arrayContaining(posts.map(({ id }) => id)));
  });
});

describe('The person who consented', () => {
  it('removes our app at Meta: their accounts have expired, others not', async () => {
    const [personId, other] = [await somebody('Leaving'), await somebody('Staying')];
    const [gone, stays] = [await connect(personId), await connect(other)];
    await service.application.get(MetaDataHolders, { strict: false }).deauthorized(personId, new Date());
    expect([(await rowOf(gone)).status, (await rowOf(stays)).status]).toEqual(['expired', 'active']);
    await service.application.get(MetaDataHolders, { strict: false }).deauthorized(personId, new Date());
  });

  it('removes our app and consents again before we come to it: what is connected now stays', async () => {
    const personId = await somebody('Wavering');
    const removedAt = new Date();
    const accountId = await connect(personId);
    await service.application.get(MetaDataHolders, { strict: false }).deauthorized(personId, removedAt);
    expect((await rowOf(accountId)).status).toBe('active');
  });

  it('is forgotten with all that came from Meta: accounts stay for their posts', async () => {
    const personId = await somebody('Forgotten');
    const accountId = await connect(personId, 'instagram');
    const postId = await insertPost(service.database, accountId, { status: 'queued' });
    const owner = demoAddress('owner', 'northside');
    await insertPending(service.database, organisationId, owner, { facebook_user_id: personId });
    const holders = service.application.get(MetaDataHolders, { strict: false });
    await holders.forget(personId);
    await holders.forget(personId);
    const row = await rowOf(accountId);
    expect(row).toMatchObject({ status: 'disconnected', access_token_sealed: null, refresh_token_sealed: null });
    expect(JSON.stringify(row)).not.toMatch(new RegExp(`${personId}|ig\\.|scontent`));
    expect(
      await service.database.sql('SELECT FROM social_pending_connections WHERE facebook_user_id = $1', [personId]),
    ).toEqual([]);
    const [post] = await service.database.sql('SELECT status, waiting_reason FROM social_media_posts WHERE id = $1', [
      postId,
    ]);
    expect(post).toEqual({ status: 'queued', waiting_reason: 'account-expired' });
  });

  it('is named to nobody afterwards: neither a row nor the audit log knows who it was', async () => {
    const personId = await somebody('Unnamed');
    await connect(personId, 'instagram');
    await service.application.get(MetaDataHolders, { strict: false }).forget(personId);
    const named: string[] = [];
    for (const [table, text] of await textOfTables()) if (text.includes(`"${personId}"`)) named.push(table);
    expect(named).toEqual([]);
  });
});

it('shows no token in an answer, a log line, an audit event, a job, or a row, after all of the above', async () => {
  const accountId = await connect(await somebody(), 'instagram');
  const texts = [JSON.stringify(log)];
  for (const path of ['', `/${accountId}`, `/${accountId}?fields=access_token_sealed`])
    texts.push((await call('GET', path)).text);
  texts.push((await call('POST', `/${accountId}/refresh`)).text);
  for (const [, text] of await textOfTables()) texts.push(text);
  const everything = texts.join('\n');
  expect(everything).toContain(accountId);
  const tokens = await meta.tokens();
  expect(tokens.length).toBeGreaterThan(20);
  expect([...tokens, 'emulator-secret'].filter((token) => everything.includes(token))).toEqual([]);
});
