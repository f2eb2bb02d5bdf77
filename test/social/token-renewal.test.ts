import { demoAddress } from '../../src/demo/demo.js';
import { JobRegistry } from '../../src/kernel/jobs/job-registry.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Service, startService } from '../support/service.js';
import { connectSocial, insertPending, insertPost } from '../support/social.js';

/** What happens by the clock: tokens that end are renewed, those without an end are looked at, leftovers go. */

let meta: Meta;
let service: Service;
let organisationId: string;

beforeAll(async () => {
  meta = await startMeta();
  await restart();
  const token = await service.tokenOf(demoAddress('owner', 'northside'));
  organisationId = (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
});
/** What a service learns of Meta's limits and silence stays with it. */
async function restart(): Promise<void> {
  await service?.stop();
  service = await startService({ variables: meta.variables });
  const token = await service.tokenOf(demoAddress('owner', 'northside'));
  organisationId = (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
}
afterEach(async () => {
  await meta.control('faults/clear');
  await service.database.sql('DELETE FROM social_media_accounts');
  await service.database.sql('DELETE FROM graphile_worker._private_jobs');
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

const runJob = (name: string, payload: object = {}) => service.application.get(JobRegistry).get(name).run(payload);

async function connect(): Promise<{ accountId: string; personId: string }> {
  const personId = await meta.person('Somebody');
  await meta.page({ personId, name: 'Page', instagram: { username: `ig.${personId}` } });
  const token = await service.tokenOf(demoAddress('owner', 'northside'));
  const [accountId = ''] = await connectSocial(service, meta, {
    organisationId,
    token,
    platform: 'instagram',
    personId,
  });
  return { accountId, personId };
}

/** Tokens that end soon, as those do that Meta gives for sixty days. */
async function ending(): Promise<{ accountId: string; personId: string }> {
  const made = await connect();
  await set(made.accountId, `token_expires_at = now() + interval '6 days'`);
  return made;
}

const set = (accountId: string, assignments: string) =>
  service.database.sql(`UPDATE social_media_accounts SET ${assignments} WHERE id = $1`, [accountId]);

async function rowOf(accountId: string): Promise<Record<string, unknown>> {
  const [row] = await service.database.sql('SELECT * FROM social_media_accounts WHERE id = $1', [accountId]);
  return row as Record<string, unknown>;
}

async function jobsOf(name: string) {
  return service.database.sql<{ payload: { accountId: string }; run_at: Date }>(
    `SELECT j.payload, j.run_at FROM graphile_worker._private_jobs j JOIN graphile_worker._private_tasks t ON t.id = j.task_id
      WHERE t.identifier = $1`,
    [name],
  );
}

/** As the daily job and then its parts. */
async function renewAll(): Promise<void> {
  await runJob('social.renew-accounts');
  for (const { payload } of await jobsOf('social.renew-account')) await runJob('social.renew-account', payload);
}

describe('Each day', () => {
  it('accounts are renewed whose token or access to data ends within a week, and no others', async () => {
    const [soon, data, later, endless] = [await ending(), await connect(), await connect(), await connect()];
    await set(data.accountId, `data_access_expires_at = now() + interval '1 day'`);
    await set(later.accountId, `token_expires_at = now() + interval '8 days'`);
    const before = await rowOf(soon.accountId);
    await runJob('social.renew-accounts');
    const renewed = (await jobsOf('social.renew-account')).map(({ payload }) => payload.accountId);
    expect(renewed.sort()).toEqual([soon.accountId, data.accountId].sort());
    expect(renewed).not.toContain(endless.accountId);
    await renewAll();
    const after = await rowOf(soon.accountId);
    expect(after).toMatchObject({ status: 'active', health: 'ok', token_expires_at: null, connection_error_count: 0 });
    expect(after.refresh_token_sealed).not.toBe(before.refresh_token_sealed);
    expect(Number(after.last_token_refresh)).toBeGreaterThan(Number(before.last_token_refresh));
  });

  it('a renewal that fails is counted; the third ends the account as error, with its posts and a mail', async () => {
    const { accountId } = await ending();
    const postId = await insertPost(service.database, accountId, { status: 'queued' });
    for (const failures of [1, 2, 3]) {
      await meta.fault({ on: 'oauth.extend', kind: 'refused' });
      await renewAll();
      const status = failures < 3 ? 'active' : 'error';
      expect(await rowOf(accountId)).toMatchObject({ status, connection_error_count: failures });
      expect(await jobsOf('social.mail-lapse')).toHaveLength(failures < 3 ? 0 : 1);
    }
    const [post] = await service.database.sql('SELECT waiting_reason FROM social_media_posts WHERE id = $1', [postId]);
    expect(post).toEqual({ waiting_reason: 'account-expired' });
    await renewAll();
    expect(await rowOf(accountId)).toMatchObject({ status: 'active', connection_error_count: 0, error_message: null });
    const [resumed] = await service.database.sql('SELECT waiting_reason FROM social_media_posts WHERE id = $1', [
      postId,
    ]);
    expect(resumed).toEqual({ waiting_reason: null });
  });

  it('two failures and a success count as none', async () => {
    const { accountId } = await ending();
    for (const _ of [1, 2]) {
      await meta.fault({ on: 'accounts', kind: 'refused' });
      await renewAll();
    }
    await renewAll();
    await set(accountId, `token_expires_at = now() + interval '6 days'`);
    await meta.fault({ on: 'accounts', kind: 'refused' });
    await renewAll();
    expect(await rowOf(accountId)).toMatchObject({ status: 'active', connection_error_count: 1 });
  });

  it('a consent that is dead ends the account as expired, at once', async () => {
    const { accountId, personId } = await ending();
    await meta.control('tokens/revoke', { personId });
    await renewAll();
    expect(await rowOf(accountId)).toMatchObject({ status: 'expired', connection_error_count: 0 });
    expect(await jobsOf('social.mail-lapse')).toHaveLength(1);
  });

  it('a rate limit is waited for and no failure, and keeps no other account waiting', async () => {
    const limited = await ending();
    await meta.fault({ on: 'accounts', kind: 'rate-limited', retryAfter: 30 });
    await runJob('social.renew-account', { accountId: limited.accountId });
    expect(await rowOf(limited.accountId)).toMatchObject({ status: 'active', connection_error_count: 0 });
    const [later] = await jobsOf('social.renew-account');
    expect(later?.payload).toEqual({ accountId: limited.accountId });
    expect(Number(later?.run_at)).toBeGreaterThan(Date.now() + 20_000);
    await restart();
  });

  it('a page that the person has lost is a failure, not a renewal', async () => {
    const { accountId, personId } = await ending();
    const { page_id: pageId } = await rowOf(accountId);
    await meta.control('pages/leave', { pageId, personId });
    await renewAll();
    expect(await rowOf(accountId)).toMatchObject({ connection_error_count: 1 });
  });
});

describe('Asked for by a person', () => {
  const refresh = async (accountId: string) => {
    const path = `/organisations/${organisationId}/social/accounts/${accountId}/refresh`;
    return service.call('POST', path, { token: await service.tokenOf(demoAddress('owner', 'northside')) });
  };

  it('a renewal brings an account back that had expired, and its posts with it', async () => {
    const { accountId } = await connect();
    const postId = await insertPost(service.database, accountId, {
      status: 'queued',
      waiting_reason: 'account-expired',
    });
    await set(accountId, `status = 'expired', error_message = 'x'`);
    expect((await refresh(accountId)).body).toMatchObject({ status: 'active', errorMessage: null, health: 'ok' });
    const jobs = (await jobsOf('social.publish-post')) as unknown as { payload: { postId: string } }[];
    expect(jobs.map(({ payload }) => payload.postId)).toEqual([postId]);
  });

  it('a renewal that needs a new consent says so, and ends the account', async () => {
    const { accountId, personId } = await connect();
    await meta.control('tokens/revoke', { personId });
    expect((await refresh(accountId)).body).toMatchObject({ status: 409, code: 'meta-reauthorize' });
    expect((await rowOf(accountId)).status).toBe('expired');
  });

  it('a renewal with tokens that do not open needs a new consent', async () => {
    const { accountId } = await connect();
    await set(accountId, `refresh_token_sealed = 'v1.gone.x.x.x'`);
    expect((await refresh(accountId)).body).toMatchObject({ status: 409, code: 'meta-reauthorize' });
    expect((await rowOf(accountId)).status).toBe('active');
  });

  it('a renewal that Meta does not answer changes nothing', async () => {
    const { accountId } = await connect();
    const before = await rowOf(accountId);
    await meta.fault({ on: 'oauth.extend', kind: 'internal', times: 3 });
    expect((await refresh(accountId)).body).toMatchObject({ status: 503, code: 'meta-unavailable' });
    expect(await rowOf(accountId)).toEqual(before);
    await restart();
  });

  it('a renewal does not undo that somebody disconnects the account meanwhile', async () => {
    const { accountId } = await connect();
    await meta.control('latency', { ms: 150 });
    const renewing = refresh(accountId);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const path = `/organisations/${organisationId}/social/accounts/${accountId}`;
    await service.call('DELETE', path, { token: await service.tokenOf(demoAddress('owner', 'northside')) });
    await renewing;
    await meta.control('latency', { ms: 0 });
    expect(await rowOf(accountId)).toMatchObject({ status: 'disconnected', access_token_sealed: null });
  });
});

describe('Each week', () => {
  it('tokens of pages, which have no end, are asked about: one that died with the consent is found', async () => {
    const [dead, alive, fresh] = [await connect(), await connect(), await connect()];
    for (const { accountId } of [dead, alive]) await set(accountId, `health_checked_at = now() - interval '8 days'`);
    expect((await rowOf(dead.accountId)).token_expires_at).toBeNull();
    await meta.control('tokens/revoke', { personId: dead.personId });
    await meta.control('calls/clear', {});
    await runJob('social.check-accounts');
    expect(await meta.count('debug_token')).toBe(2);
    const states = [dead, alive, fresh].map(async ({ accountId }) => (await rowOf(accountId)).status);
    expect(await Promise.all(states)).toEqual(['expired', 'active', 'active']);
    await runJob('social.check-accounts');
    expect(await meta.count('debug_token')).toBe(2);
  });

  it('the round stops at a rate limit, the longest unseen having come first, and goes on with the next', async () => {
    const made = [await connect(), await connect(), await connect()];
    for (const [index, { accountId }] of made.entries())
      await set(accountId, `health_checked_at = now() - interval '${10 + index} days'`);
    await meta.control('calls/clear', {});
    await meta.fault({ on: 'debug_token', kind: 'rate-limited', after: 1, retryAfter: 1 });
    await runJob('social.check-accounts');
    expect(await meta.count('debug_token')).toBe(2);
    const checked = await Promise.all(
      made.map(async ({ accountId }) => Number((await rowOf(accountId)).health_checked_at)),
    );
    expect(checked.map((at) => at > Date.now() - 60_000)).toEqual([false, false, true]);
    await restart();
  });

  it('a token that does not open keeps no other account waiting', async () => {
    const [broken, alive] = [await connect(), await connect()];
    await set(broken.accountId, `health_checked_at = NULL, access_token_sealed = 'v1.gone.x.x.x'`);
    await set(alive.accountId, `health_checked_at = now() - interval '8 days'`);
    await runJob('social.check-accounts');
    expect(await rowOf(broken.accountId)).toMatchObject({ status: 'active', health: 'error' });
    expect(Number((await rowOf(alive.accountId)).health_checked_at)).toBeGreaterThan(Date.now() - 60_000);
  });
});

it('removes consents that nobody came back from, and choices that nobody made', async () => {
  const token = await service.tokenOf(demoAddress('owner', 'northside'));
  await service.call('POST', `/organisations/${organisationId}/social/connect/facebook`, { token });
  await service.call('POST', `/organisations/${organisationId}/social/connect/facebook`, { token });
  await service.database.sql(`UPDATE social_authorizations SET expires_at = now() - interval '1 s'
    WHERE id = (SELECT id FROM social_authorizations LIMIT 1)`);
  const address = demoAddress('owner', 'northside');
  await insertPending(service.database, organisationId, address, { expires_at: new Date(0) });
  const kept = await insertPending(service.database, organisationId, address);
  await runJob('social.clean-connections');
  expect(await service.database.sql('SELECT FROM social_authorizations')).toHaveLength(1);
  expect(await service.database.sql('SELECT id FROM social_pending_connections')).toEqual([{ id: kept }]);
});
