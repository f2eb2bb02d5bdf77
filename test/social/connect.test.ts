import { demoAddress } from '../../src/demo/demo.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** From the dialog to a connected account, and every way in which it does not come so far. */

let meta: Meta;
let service: Service;
let organisationId: string;
let social: string;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: meta.variables });
  organisationId = await organisationOf('northside');
  social = `/organisations/${organisationId}/social`;
});
afterEach(async () => {
  await meta.control('faults/clear');
  await service.database.sql('DELETE FROM social_media_accounts');
  await service.database.sql('DELETE FROM social_pending_connections');
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

async function organisationOf(slug: string): Promise<string> {
  const token = await service.tokenOf(demoAddress('owner', slug));
  return (await service.call('GET', '/clinics', { token })).body.data[0].organisationId;
}

const ownerToken = (of = service) => of.tokenOf(demoAddress('owner', 'northside'));

type Consent = Parameters<Meta['consent']>[1];

async function begin(platform = 'facebook', of = service): Promise<string> {
  const answer = await of.call('POST', `${social}/connect/${platform}`, { token: await ownerToken(of) });
  expect(answer.status).toBe(200);
  return answer.body.authorizationUrl;
}

async function finish(query: URLSearchParams | Record<string, string>, token?: string): Promise<Answer> {
  const path = `${social}/connect/callback?${new URLSearchParams(query)}`;
  return service.call('GET', path, { token: token ?? (await ownerToken()) });
}

async function connect(platform: string, consent: Consent, of = service): Promise<Answer> {
  const query = await meta.consent(await begin(platform, of), consent);
  return of.call('GET', `${social}/connect/callback?${query}`, { token: await ownerToken(of) });
}

/** A person with one page, which has an Instagram account. */
async function somebody(name = 'Somebody', instagram = true) {
  const personId = await meta.person(name);
  const username = `ig.${personId}`;
  const page = await meta.page({ personId, name: `Page of ${name}`, ...(instagram && { instagram: { username } }) });
  return { personId, username, page };
}

async function withPages(count: number) {
  const personId = await meta.person('Of Many Pages');
  const pages = [];
  for (let each = 1; each <= count; each += 1) pages.push(await meta.page({ personId, name: `Page ${each}` }));
  return { personId, pages };
}

const accounts = () => service.database.sql('SELECT * FROM social_media_accounts ORDER BY platform_account_id');

describe('One page', () => {
  it('is connected at once, with what Meta says of it', async () => {
    const { personId, page } = await somebody('Alone');
    const answer = await connect('facebook', { personId });
    expect(answer.body).toMatchObject({
      pending: null,
      connected: {
        ...{ organisationId, platform: 'facebook', accountType: 'page', platformAccountId: page.id, pageId: page.id },
        ...{ username: 'Page of Alone', pageName: 'Page of Alone', status: 'active', health: 'ok', errorMessage: null },
        ...{ canPublishFeed: true, canPublishStories: false, canPublishReels: false, tokenExpiresAt: null },
      },
    });
    const [row] = await accounts();
    expect(row).toMatchObject({ status: 'active', facebook_user_id: personId });
    expect(row?.access_token_sealed).toMatch(/^v1\./);
    expect(row?.refresh_token_sealed).toMatch(/^v1\./);
  });

  it.each([
    ['business', 'business'],
    ['creator', 'creator'],
  ] as const)('leads to its Instagram account, of a %s', async (accountType, expected) => {
    const personId = await meta.person(`Of ${accountType}`);
    const page = await meta.page({ personId, name: 'Page', instagram: { username: `ig.${personId}`, accountType } });
    const answer = await connect('instagram', { personId });
    expect(answer.body.connected).toMatchObject({
      ...{ platform: 'instagram', accountType: expected, platformAccountId: page.instagramId, pageId: page.id },
      ...{ username: `ig.${personId}`, canPublishFeed: true, canPublishStories: true, canPublishReels: true },
    });
  });

  it('is the only one that can be connected, although the person has others without Instagram', async () => {
    const { personId, page } = await somebody();
    await meta.page({ personId, name: 'Without Instagram' });
    const answer = await connect('instagram', { personId });
    expect(answer.body.connected.platformAccountId).toBe(page.instagramId);
  });

  it('is asked for with PKCE, a state, and the scopes that publishing needs', async () => {
    const dialog = new URL(await begin('instagram'));
    expect(dialog.searchParams.get('code_challenge_method')).toBe('S256');
    expect(dialog.searchParams.get('scope')?.split(',')).toEqual(
      expect.arrayContaining(['pages_manage_posts', 'instagram_content_publish', 'instagram_manage_insights']),
    );
    expect(dialog.searchParams.get('redirect_uri')).toBe(service.config.meta.connectRedirectUrl);
  });
});

describe('Several pages', () => {
  it('are a choice: nothing is connected before, and then what was chosen', async () => {
    const { personId, pages } = await withPages(3);
    const { body } = await connect('facebook', { personId });
    expect(body.connected).toBeNull();
    expect(body.pending.candidates.map(({ id }: { id: string }) => id)).toEqual(pages.map(({ id }) => id));
    expect(await accounts()).toEqual([]);
    const token = await ownerToken();
    const path = `${social}/connect/pending/${body.pending.id}`;
    expect((await service.call('GET', path, { token })).body).toEqual(body.pending);
    const choices = [pages[2]?.id, pages[0]?.id];
    const chosen = await service.call('POST', path, { token, body: { choices } });
    expect(chosen.status).toBe(200);
    expect(chosen.body.data.map((each: { platformAccountId: string }) => each.platformAccountId).sort()).toEqual(
      choices.sort(),
    );
    const consented = { status: 'active', facebook_user_id: personId };
    expect(await accounts()).toMatchObject([consented, consented]);
    expect((await service.call('POST', path, { token, body: { choices } })).status).toBe(404);
    expect((await service.call('GET', path, { token })).status).toBe(404);
  });

  it('are all there, not only those of the first page of the list', async () => {
    const { personId, pages } = await withPages(130);
    await meta.control('calls/clear', {});
    const { body } = await connect('facebook', { personId });
    expect(await meta.count('accounts')).toBeGreaterThan(1);
    expect(body.pending.candidates).toHaveLength(130);
    const path = `${social}/connect/pending/${body.pending.id}`;
    const last = pages.at(-1)?.id;
    const chosen = await service.call('POST', path, { token: await ownerToken(), body: { choices: [last] } });
    expect(chosen.body.data).toMatchObject([{ platformAccountId: last, status: 'active' }]);
  });

  it('say which is connected already, and which cannot be', async () => {
    const { personId, pages } = await withPages(2);
    const noTask = await meta.page({ personId, name: 'Only to analyse', tasks: ['ANALYZE'] });
    const first = await connect('facebook', { personId, pages: [String(pages[0]?.id)] });
    expect(first.body.connected).not.toBeNull();
    const { body } = await connect('facebook', { personId });
    expect(body.pending.candidates).toMatchObject([
      { id: pages[0]?.id, alreadyConnected: true, connectable: true, reason: null },
      { id: pages[1]?.id, alreadyConnected: false, connectable: true, reason: null },
      { id: noTask.id, alreadyConnected: false, connectable: false, reason: 'task-missing' },
    ]);
    const path = `${social}/connect/pending/${body.pending.id}`;
    const token = await ownerToken();
    for (const [choices, status, code] of [
      [[noTask.id], 422, 'task-missing'],
      [[pages[1]?.id, '1'], 422, 'unknown-candidate'],
      [[], 400, undefined],
      [[pages[1]?.id, pages[1]?.id], 400, undefined],
    ] as const) {
      const answer = await service.call('POST', path, { token, body: { choices } });
      expect(answer.status).toBe(status);
      if (code) expect(answer.body.errors[0].code).toBe(code);
    }
    expect(await accounts()).toHaveLength(1);
  });

  it('that are gone by the time of the choice are refused, and nothing is connected', async () => {
    const { personId, pages } = await withPages(2);
    const { body } = await connect('facebook', { personId });
    await meta.control('pages/leave', { pageId: pages[1]?.id, personId });
    const path = `${social}/connect/pending/${body.pending.id}`;
    const choices = pages.map(({ id }) => id);
    const answer = await service.call('POST', path, { token: await ownerToken(), body: { choices } });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({
      code: 'choice-invalid',
      errors: [{ path: 'choices.1', code: 'candidate-gone' }],
    });
    expect(await accounts()).toEqual([]);
  });

  it('can be chosen among again after Meta failed', async () => {
    const { personId, pages } = await withPages(2);
    const { body } = await connect('facebook', { personId });
    const path = `${social}/connect/pending/${body.pending.id}`;
    const choose = async () =>
      service.call('POST', path, { token: await ownerToken(), body: { choices: [pages[0]?.id] } });
    for (const on of ['accounts', 'debug_token'] as const) {
      await meta.fault({ on, kind: 'internal', times: 3 });
      expect((await choose()).body).toMatchObject({ status: 503, code: 'meta-unavailable' });
      expect(await accounts()).toEqual([]);
    }
    expect((await choose()).status).toBe(200);
  });
});

describe('A choice', () => {
  async function pendingOf() {
    const { personId, pages } = await withPages(2);
    const { body } = await connect('facebook', { personId });
    return { path: `${social}/connect/pending/${body.pending.id}`, id: body.pending.id, choices: [pages[0]?.id] };
  }

  async function expectHidden(path: string, choices: unknown[], token: string, status = 404): Promise<void> {
    expect((await service.call('GET', path, { token })).status).toBe(status);
    expect((await service.call('POST', path, { token, body: { choices } })).status).toBe(status);
    expect(await accounts()).toEqual([]);
  }

  it('is hidden from other managers of the organisation', async () => {
    const { path, choices } = await pendingOf();
    await expectHidden(path, choices, await service.tokenOf(demoAddress('manager', 'northside')));
  });

  it('is hidden from the same person in another session', async () => {
    const { path, choices } = await pendingOf();
    await expectHidden(path, choices, await freshToken('owner'));
  });

  it('is hidden from people of another organisation', async () => {
    const { path, choices } = await pendingOf();
    await expectHidden(path, choices, await service.tokenOf(demoAddress('owner', 'southbank')));
    const other = `/organisations/${await organisationOf('southbank')}/social`;
    await expectHidden(path.replace(social, other), choices, await service.tokenOf(demoAddress('owner', 'southbank')));
  });

  it('ends after a quarter of an hour', async () => {
    const { path, id, choices } = await pendingOf();
    await service.database.sql(
      `UPDATE social_pending_connections SET expires_at = now() - interval '1 s' WHERE id = $1`,
      [id],
    );
    await expectHidden(path, choices, await ownerToken());
  });
});

async function freshToken(role: string): Promise<string> {
  const { demoPassword } = await import('../../src/demo/demo.js');
  const body = { email: demoAddress(role, 'northside'), password: demoPassword };
  return (await service.call('POST', '/auth/login', { body })).body.accessToken;
}

describe('A consent is refused', () => {
  const refused = (code: string, status = 422) => ({ status, code });

  it('with a state that is forged, changed, or none of ours', async () => {
    const { personId } = await somebody();
    const query = Object.fromEntries(await meta.consent(await begin(), { personId }));
    await meta.control('calls/clear', {});
    for (const state of ['x', 'a.b', `${query.state}x`, `x${query.state}`])
      expect((await finish({ ...query, state })).body).toMatchObject(refused('connect-state-invalid'));
    expect((await finish({ code: 'x' })).status).toBe(400);
    expect(await meta.count()).toBe(0);
    expect((await finish(query)).status).toBe(200);
  });

  it('the second time, also of two at once', async () => {
    const { personId } = await somebody();
    const query = await meta.consent(await begin(), { personId });
    const answers = await Promise.all([finish(query), finish(query), finish(query)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 422, 422]);
    expect((await finish(query)).body).toMatchObject(refused('connect-state-invalid'));
  });

  it('after ten minutes', async () => {
    const { personId } = await somebody();
    const query = await meta.consent(await begin(), { personId });
    await service.database.sql(`UPDATE social_authorizations SET expires_at = now() - interval '1 s'`);
    expect((await finish(query)).body).toMatchObject(refused('connect-state-invalid'));
  });

  it('of another person, another session, another organisation', async () => {
    const { personId } = await somebody();
    const query = await meta.consent(await begin(), { personId });
    const manager = await service.tokenOf(demoAddress('manager', 'northside'));
    expect((await finish(query, manager)).body).toMatchObject(refused('connect-state-invalid'));
    expect((await finish(query, await freshToken('owner'))).body).toMatchObject(refused('connect-state-invalid'));
    const token = await service.tokenOf(demoAddress('owner', 'southbank'));
    const other = `/organisations/${await organisationOf('southbank')}/social/connect/callback?${query}`;
    expect((await service.call('GET', other, { token })).body).toMatchObject(refused('connect-state-invalid'));
    expect((await finish(query)).status).toBe(200);
  });

  it('when the person cancels', async () => {
    const { personId } = await somebody();
    expect((await connect('facebook', { personId, denies: true })).body).toMatchObject(refused('connect-refused'));
  });

  it('when the code is another one, or was used', async () => {
    const { personId } = await somebody();
    const used = await meta.consent(await begin(), { personId });
    expect((await finish(used)).status).toBe(200);
    const state = (await meta.consent(await begin(), { personId })).get('state') ?? '';
    expect((await finish({ state, code: used.get('code') ?? '' })).body).toMatchObject(refused('connect-code-refused'));
  });

  it('without the permissions that an account needs', async () => {
    const { personId } = await somebody();
    const answer = await connect('facebook', { personId, withholds: ['pages_read_engagement'] });
    expect(answer.body).toMatchObject({ ...refused('scopes-missing'), detail: 'Not allowed: pages_read_engagement.' });
    const other = await connect('instagram', { personId, withholds: ['instagram_basic'] });
    expect(other.body).toMatchObject(refused('scopes-missing'));
    expect(await accounts()).toEqual([]);
  });

  it('but not for want of those to publish: the account is there, and cannot', async () => {
    const { personId } = await somebody();
    const answer = await connect('instagram', { personId, withholds: ['instagram_content_publish'] });
    expect(answer.body.connected).toMatchObject({
      ...{
        status: 'active',
        health: 'warning',
        canPublishFeed: false,
        canPublishStories: false,
        canPublishReels: false,
      },
    });
  });

  it('without a page, without Instagram, without the right to publish', async () => {
    const personId = await meta.person('Without Pages');
    expect((await connect('facebook', { personId })).body).toMatchObject(refused('no-pages'));
    expect((await connect('instagram', { personId })).body).toMatchObject(refused('no-pages'));
    const plain = await somebody('Without Instagram', false);
    expect((await connect('instagram', plain)).body).toMatchObject(refused('no-instagram-account'));
    const analyst = await meta.person('Analyst');
    await meta.page({ personId: analyst, name: 'Numbers', tasks: ['ANALYZE'] });
    expect((await connect('facebook', { personId: analyst })).body).toMatchObject(refused('no-pages'));
  });

  it.each(['oauth.code', 'oauth.extend', 'debug_token', 'accounts', 'instagram'] as const)(
    'while Meta fails at %s: nothing is connected',
    async (on) => {
      const { personId } = await somebody();
      // Of its own: what a service learns of Meta's limits and silence stays with it.
      const own = await startService({ variables: meta.variables, database: service.database });
      for (const kind of ['internal', 'cut-before', 'malformed'] as const) {
        await meta.control('faults/clear');
        await meta.fault({ on, kind, times: 3 });
        expect((await connect('instagram', { personId }, own)).body).toMatchObject(refused('meta-unavailable', 503));
        expect(await accounts()).toEqual([]);
      }
      await meta.control('faults/clear');
      await meta.fault({ on, kind: 'rate-limited', retryAfter: 7 });
      const limited = await connect('instagram', { personId }, own);
      expect(limited.body).toMatchObject(refused('meta-rate-limited', 503));
      expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await accounts()).toEqual([]);
      await own.stop();
    },
  );

  it('to whoever does not manage the organisation', async () => {
    const query = 'state=x&code=x';
    for (const [role, status] of [
      ...[['manager', 200]],
      ...['clinic_admin', 'staff', 'viewer', 'member', 'provider'].map((each) => [each, 403]),
      ...[['patient', 404]],
    ] as [string, number][]) {
      const token = await service.tokenOf(demoAddress(role, 'northside'));
      expect([role, (await service.call('POST', `${social}/connect/facebook`, { token })).status]).toEqual([
        role,
        status,
      ]);
      const finished = await service.call('GET', `${social}/connect/callback?${query}`, { token });
      expect([role, finished.status]).toEqual([role, status === 200 ? 422 : status]);
    }
    const foreign = await service.tokenOf(demoAddress('owner', 'southbank'));
    expect((await service.call('POST', `${social}/connect/facebook`, { token: foreign })).status).toBe(404);
  });

  it('on a platform that is none', async () => {
    const answer = await service.call('POST', `${social}/connect/myspace`, { token: await ownerToken() });
    expect(answer.status).toBe(400);
  });
});

describe('An account that is connected twice', () => {
  it('is one, also when it happens at once', async () => {
    const { personId, page } = await somebody();
    const queries = await Promise.all([1, 2, 3].map(async () => meta.consent(await begin(), { personId })));
    const answers = await Promise.all(queries.map((query) => finish(query)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await accounts()).toMatchObject([{ platform_account_id: page.id, status: 'active' }]);
  });

  it('is another one in another organisation', async () => {
    const { personId } = await somebody();
    await connect('facebook', { personId });
    const token = await service.tokenOf(demoAddress('owner', 'southbank'));
    const other = `/organisations/${await organisationOf('southbank')}/social/connect`;
    const begun = await service.call('POST', `${other}/facebook`, { token });
    const query = await meta.consent(begun.body.authorizationUrl, { personId });
    expect((await service.call('GET', `${other}/callback?${query}`, { token })).status).toBe(200);
    expect((await accounts()).map(({ status }) => status)).toEqual(['active', 'active']);
  });
});

it('is not offered where the installation has no app of Meta', async () => {
  const bare = await startService();
  const token = await bare.tokenOf(demoAddress('owner', 'northside'));
  const { organisationId: id } = (await bare.call('GET', '/clinics', { token })).body.data[0];
  const answer = await bare.call('POST', `/organisations/${id}/social/connect/facebook`, { token });
  expect(answer.body).toMatchObject({ status: 503, code: 'meta-not-configured' });
  expect(await bare.database.sql('SELECT FROM social_authorizations')).toEqual([]);
  await bare.stop();
});
