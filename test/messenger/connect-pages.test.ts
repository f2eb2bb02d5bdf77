import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import {
  beginConsent,
  type ConnectRoutes,
  comeBack,
  consentAs,
  personWithPages,
  subscribedAt,
} from '../support/messenger-connect.js';
import { type Meta, startMeta } from '../support/meta.js';
import { GraphClientOfTests } from '../support/meta-graph.js';
import { type Answer, type Service, startService } from '../support/service.js';

/** From the dialog to a connected page, and every way in which it does not come so far. */

const routes: ConnectRoutes = '/messenger/pages';
const owner = demoAddress('staff', 'northside');
const colleague = demoAddress('provider', 'northside');
const stranger = demoAddress('staff', 'southbank');

let meta: Meta;
let service: Service;
let graph: GraphClientOfTests;

beforeAll(async () => {
  meta = await startMeta();
  graph = new GraphClientOfTests(meta);
  service = await startService({ variables: meta.variables });
});
afterEach(async () => {
  await meta.control('faults/clear');
  for (const table of ['messenger_connections', 'messenger_pending_connections', 'messenger_authorizations'])
    await service.database.sql(`DELETE FROM ${table}`);
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

type Consent = Parameters<Meta['consent']>[1];
const connect = async (consent: Consent, email = owner) =>
  Object.fromEntries(await consentAs(service, meta, email, routes, consent));
const call = async (method: string, path: string, { email = owner, body }: { email?: string; body?: object } = {}) =>
  service.call(method, `${routes}${path}`, { token: await service.tokenOf(email), body });
const connections = () =>
  service.database.sql<{ id: string; page_id: string; is_active: boolean; page_access_token_sealed: string | null }>(
    'SELECT * FROM messenger_connections ORDER BY created_at',
  );
const clinicOf = async (email: string): Promise<string> =>
  (await service.call('GET', '/clinics', { token: await service.tokenOf(email) })).body.data[0].id;

describe('One page', () => {
  it('is connected at once, subscribed to, and listed without a token', async () => {
    const { personId, pages } = await personWithPages(meta);
    const [page] = pages;
    expect(await connect({ personId })).toEqual({ connected: '1' });
    expect(await connections()).toMatchObject([
      { page_id: page?.id, is_active: true, facebook_user_id: personId, page_name: 'Practice 1', health_level: 'ok' },
    ]);
    expect(await subscribedAt(meta, page?.id ?? '')).toEqual(
      expect.arrayContaining(['messages', 'messaging_postbacks', 'message_deliveries', 'message_reads']),
    );
    const listed = await call('GET', '');
    expect(listed.body.data).toMatchObject([
      { pageId: page?.id, name: 'Practice 1', connected: true, isPaused: false, clinicId: null },
    ]);
  });

  it('is asked for with PKCE, the scopes of the issue, and a state that says nothing of anybody', async () => {
    const { dialogUrl, cookie } = await beginConsent(service, owner, routes);
    const { searchParams } = new URL(dialogUrl);
    expect(searchParams.get('scope')?.split(',')).toEqual([
      ...['pages_show_list', 'pages_manage_metadata', 'pages_messaging', 'pages_read_engagement'],
      'business_management',
    ]);
    expect(searchParams.get('code_challenge_method')).toBe('S256');
    expect(searchParams.get('redirect_uri')).toBe(service.config.meta.messengerRedirectUrl);
    const [user] = await service.database.sql<{ id: string }>('SELECT id FROM auth.users WHERE email = $1', [owner]);
    expect(searchParams.get('state')).not.toContain(user?.id);
    expect(cookie).toMatch(/^polyclinic-messenger=[\w-]{43}$/);
  });

  it('binds the browser by a cookie that no script reads and no other path gets', async () => {
    const answer = await call('GET', '/connect');
    expect(answer.headers.get('set-cookie')).toMatch(
      /^polyclinic-messenger=[\w-]{43}; Max-Age=600; Path=\/api\/v1\/messenger\/pages; HttpOnly; SameSite=Lax$/,
    );
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('is connected for a clinic in which the person works, and for no other', async () => {
    const clinicId = await clinicOf(owner);
    const { personId } = await personWithPages(meta);
    const { dialogUrl, cookie } = await beginConsent(service, owner, routes, { query: `?clinicId=${clinicId}` });
    await comeBack(service, routes, await meta.consent(dialogUrl, { personId }), cookie);
    expect(await connections()).toMatchObject([{ clinic_id: clinicId }]);
    const foreign = await clinicOf(stranger);
    expect((await call('GET', `/connect?clinicId=${foreign}`)).status).toBe(404);
    const viewer = { email: demoAddress('viewer', 'northside') };
    expect((await call('GET', `/connect?clinicId=${clinicId}`, viewer)).status).toBe(403);
  });

  it('may be an admin’s own', async () => {
    const { personId } = await personWithPages(meta, 2);
    const { choose } = await connect({ personId }, demoAdmin);
    const { body } = await call('GET', `/pending/${choose}`, { email: demoAdmin });
    const chosen = await call('POST', `/pending/${choose}`, {
      ...{ email: demoAdmin, body: { choice: body.candidates[0].id } },
    });
    expect(chosen.body).toMatchObject({ connected: true, pageId: body.candidates[0].id });
  });
});

describe('Several pages', () => {
  it('are a choice: none is taken unasked, and then the one that was chosen', async () => {
    const { personId, pages } = await personWithPages(meta, 3);
    const told = await connect({ personId });
    expect(told).toEqual({ choose: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(await connections()).toEqual([]);
    for (const { id } of pages) expect(await subscribedAt(meta, id)).toEqual([]);
    const pending = await call('GET', `/pending/${told.choose}`);
    expect(pending.body.candidates).toEqual(
      pages.map(({ id }, index) => ({ id, name: `Practice ${index + 1}`, username: null, alreadyConnected: false })),
    );
    const choice = pages[1]?.id ?? '';
    const chosen = await call('POST', `/pending/${told.choose}`, { body: { choice } });
    expect([chosen.status, chosen.body.pageId]).toEqual([200, choice]);
    expect(await connections()).toMatchObject([{ page_id: choice, is_active: true }]);
    expect((await call('POST', `/pending/${told.choose}`, { body: { choice } })).status).toBe(404);
    const again = await connect({ personId });
    const marked = await call('GET', `/pending/${again.choose}`);
    expect(marked.body.candidates.filter((each: { alreadyConnected: boolean }) => each.alreadyConnected)).toMatchObject(
      [{ id: choice }],
    );
  });

  it('are nobody else’s choice, neither another’s nor at the other routes', async () => {
    const { personId, pages } = await personWithPages(meta, 2);
    const { choose } = await connect({ personId });
    const body = { choice: pages[0]?.id };
    for (const email of [colleague, stranger, demoAdmin]) {
      expect((await call('GET', `/pending/${choose}`, { email })).status).toBe(404);
      expect((await call('POST', `/pending/${choose}`, { email, body })).status).toBe(404);
    }
    const token = await service.tokenOf(owner);
    expect((await service.call('GET', `/settings/instagram/pending/${choose}`, { token })).status).toBe(404);
    expect((await service.call('POST', `/settings/instagram/pending/${choose}`, { token, body })).status).toBe(404);
    expect(await connections()).toEqual([]);
  });

  it('are a choice for a quarter of an hour, among what is there', async () => {
    const { personId, pages } = await personWithPages(meta, 2);
    const { choose } = await connect({ personId });
    const other = await call('POST', `/pending/${choose}`, { body: { choice: '12345' } });
    expect([other.status, other.body.errors[0].code]).toEqual([422, 'unknown-candidate']);
    await meta.control('pages/leave', { personId, pageId: pages[0]?.id });
    const gone = await call('POST', `/pending/${choose}`, { body: { choice: pages[0]?.id } });
    expect([gone.status, gone.body.errors[0].code]).toEqual([422, 'candidate-gone']);
    await service.database.sql('UPDATE messenger_pending_connections SET expires_at = now()');
    expect((await call('POST', `/pending/${choose}`, { body: { choice: pages[1]?.id } })).status).toBe(404);
    expect(await connections()).toEqual([]);
  });

  it('chosen twice at once are connected once', async () => {
    const { personId, pages } = await personWithPages(meta, 2);
    const { choose } = await connect({ personId });
    const answers = await Promise.all(
      pages.map(({ id }) => call('POST', `/pending/${choose}`, { body: { choice: id } })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404]);
    expect((await connections()).filter((each) => each.is_active)).toHaveLength(1);
  });

  it('can be chosen among again when Meta did not answer', async () => {
    const { personId, pages } = await personWithPages(meta, 2);
    const { choose } = await connect({ personId });
    const body = { choice: pages[0]?.id };
    await meta.fault({ on: 'page.subscribe', kind: 'internal', times: 5 });
    expect((await call('POST', `/pending/${choose}`, { body })).body.code).toBe('meta-unavailable');
    expect(await connections()).toEqual([]);
    await meta.control('faults/clear');
    expect((await call('POST', `/pending/${choose}`, { body })).status).toBe(200);
  });
});

describe('A state', () => {
  const refused = { error: 'connect-state-invalid' };
  const returning = async (query: URLSearchParams | Record<string, string>, cookie?: string) =>
    Object.fromEntries(await comeBack(service, routes, query, cookie));

  it('works once', async () => {
    const { personId } = await personWithPages(meta);
    const { dialogUrl, cookie } = await beginConsent(service, owner, routes);
    const query = await meta.consent(dialogUrl, { personId });
    const both = await Promise.all([returning(query, cookie), returning(query, cookie)]);
    expect(both.filter(({ error }) => error === 'connect-state-invalid')).toHaveLength(1);
    expect(await returning(query, cookie)).toEqual(refused);
    expect(await connections()).toHaveLength(1);
  });

  it('works in the browser that began, and in no other', async () => {
    const { personId } = await personWithPages(meta);
    const { dialogUrl } = await beginConsent(service, owner, routes);
    const query = await meta.consent(dialogUrl, { personId });
    const other = await beginConsent(service, colleague, routes);
    expect(await returning(query)).toEqual(refused);
    expect(await returning(query, other.cookie)).toEqual(refused);
    expect(await returning(query, 'polyclinic-messenger=')).toEqual(refused);
    expect(await connections()).toEqual([]);
  });

  it('works in two tabs of one browser', async () => {
    const { personId } = await personWithPages(meta);
    const first = await beginConsent(service, owner, routes);
    const second = await beginConsent(service, owner, routes, { cookie: first.cookie });
    expect(second.cookie).toBe(first.cookie);
    const query = await meta.consent(first.dialogUrl, { personId });
    expect(await returning(query, second.cookie)).toEqual({ connected: '1' });
  });

  it.each([
    ['the user’s id', async () => (await service.database.sql('SELECT id FROM auth.users LIMIT 1'))[0]?.id as string],
    ['a made-up one', async () => `${'x'.repeat(43)}.${'y'.repeat(43)}`],
    ['nothing', async () => ''],
  ])('that is forged is not taken: %s', async (_what, forged) => {
    const { cookie } = await beginConsent(service, owner, routes);
    const calls = await meta.count();
    expect(await returning({ state: await forged(), code: 'a-code' }, cookie)).toEqual(refused);
    expect(await meta.count()).toBe(calls);
  });

  it('is over after ten minutes, and when the person has logged out', async () => {
    const { personId } = await personWithPages(meta);
    const late = await beginConsent(service, owner, routes);
    await service.database.sql('UPDATE messenger_authorizations SET expires_at = now()');
    expect(await returning(await meta.consent(late.dialogUrl, { personId }), late.cookie)).toEqual(refused);
    const out = await beginConsent(service, owner, routes);
    const [session] = await service.database.sql<{ session_id: string }>(
      'SELECT session_id FROM messenger_authorizations ORDER BY expires_at DESC LIMIT 1',
    );
    const query = await meta.consent(out.dialogUrl, { personId });
    const revoke = (at: string) =>
      service.database.sql(`UPDATE auth.sessions SET revoked_at = ${at} WHERE id = $1`, [session?.session_id]);
    await revoke('now()');
    expect(await returning(query, out.cookie)).toEqual(refused);
    await revoke('NULL');
    expect(await connections()).toEqual([]);
  });

  it('for a page is none for an Instagram account', async () => {
    const { personId } = await personWithPages(meta);
    const { dialogUrl, cookie } = await beginConsent(service, owner, routes);
    const query = await meta.consent(dialogUrl, { personId });
    const told = await comeBack(service, '/settings/instagram', query, cookie);
    expect(Object.fromEntries(told)).toEqual(refused);
  });
});

describe('A consent that leads nowhere', () => {
  it.each([
    ['was not given', { denies: true }, 'connect-refused'],
    ['withholds what messages need', { withholds: ['pages_messaging'] }, 'scopes-missing'],
    ['withholds what a subscription needs', { withholds: ['pages_manage_metadata'] }, 'scopes-missing'],
    ['is for no page', { pages: [] }, 'no-pages'],
  ])('is told by its code: it %s', async (_what, consent, error) => {
    const { personId } = await personWithPages(meta);
    expect(await connect({ personId, ...consent })).toEqual({ error });
    expect(await connections()).toEqual([]);
  });

  it('is of somebody who may not answer there', async () => {
    const personId = await meta.person('Without a Task');
    await meta.page({ personId, name: 'Not theirs to answer', tasks: ['ANALYZE'] });
    expect(await connect({ personId })).toEqual({ error: 'no-pages' });
  });

  it.each([
    ['refuses the subscription', { on: 'page.subscribe', kind: 'refused' }, 'meta-refused'],
    [
      'cannot be asked what it subscribed',
      { on: 'page.subscriptions', kind: 'internal', times: 9 },
      'meta-unavailable',
    ],
    ['does not answer', { on: 'accounts', kind: 'html', times: 9 }, 'meta-unavailable'],
  ] as const)('saves nothing when Meta %s', async (_what, fault, error) => {
    const { personId } = await personWithPages(meta);
    await meta.fault(fault);
    expect(await connect({ personId })).toEqual({ error });
    expect(await connections()).toEqual([]);
  });

  it('saves nothing when Meta says that it subscribed us, and did not', async () => {
    const { personId, pages } = await personWithPages(meta);
    await meta.fault({ on: 'page.subscribe', kind: 'slow', delayMs: 1_000 });
    const told = connect({ personId });
    const isSubscribed = async () => (await subscribedAt(meta, pages[0]?.id ?? '')).length > 0;
    for (let tries = 0; tries < 200 && !(await isSubscribed()); tries += 1) await pause(20);
    await graph.delete(`${pages[0]?.id}/subscribed_apps`, 'emulator-app|emulator-secret');
    expect(await told).toEqual({ error: 'subscription-failed' });
    expect(await connections()).toEqual([]);
  });

  it('is told that Meta slows us down', async () => {
    const slowed = await startService({ database: service.database, variables: meta.variables });
    const { personId } = await personWithPages(meta);
    await meta.fault({ on: 'accounts', kind: 'rate-limited', retryAfter: 60 });
    const told = await consentAs(slowed, meta, owner, routes, { personId });
    expect(Object.fromEntries(told)).toEqual({ error: 'meta-rate-limited' });
    await slowed.stop();
  });

  it('does not begin where there is no app, or nobody is signed in', async () => {
    const without = await startService({ database: service.database });
    const token = await without.tokenOf(owner);
    expect((await without.call('GET', '/messenger/pages/connect', { token })).body.code).toBe('meta-not-configured');
    await without.stop();
    expect((await service.call('GET', '/messenger/pages/connect')).status).toBe(401);
  });
});

describe('A page that is connected again', () => {
  it('keeps its row, its pause and its conversations, and is well again', async () => {
    const { personId } = await personWithPages(meta);
    await connect({ personId });
    const [before] = await connections();
    await service.database.sql(
      `UPDATE messenger_connections SET is_paused = true, health_level = 'error', health_error_code = 'token-invalid', health_mailed_at = now()`,
    );
    await call('DELETE', `/${before?.id}`);
    expect(await connect({ personId })).toEqual({ connected: '1' });
    const after = await connections();
    expect(after).toMatchObject([
      {
        ...{ id: before?.id, is_active: true, is_paused: true },
        ...{ health_level: 'ok', health_error_code: null, health_mailed_at: null },
      },
    ]);
    expect(after[0]?.page_access_token_sealed).not.toBe(before?.page_access_token_sealed);
  });

  it('takes the place of the one before, in one step, however often it goes to and fro', async () => {
    const { personId, pages } = await personWithPages(meta, 2);
    for (const { id } of [...pages, ...pages, ...pages])
      expect(await connect({ personId, pages: [id] })).toEqual({ connected: '1' });
    const [first, second] = await connections();
    expect(await connections()).toHaveLength(2);
    expect(first).toMatchObject({ page_id: pages[0]?.id, is_active: false, page_access_token_sealed: null });
    expect(second).toMatchObject({ page_id: pages[1]?.id, is_active: true });
  });

  it('for another clinic is another connection', async () => {
    const { personId } = await personWithPages(meta);
    await connect({ personId });
    const [before] = await connections();
    const clinicId = await clinicOf(owner);
    const { dialogUrl, cookie } = await beginConsent(service, owner, routes, { query: `?clinicId=${clinicId}` });
    await comeBack(service, routes, await meta.consent(dialogUrl, { personId }), cookie);
    const after = await connections();
    expect(after).toMatchObject([{ clinic_id: clinicId, is_active: true }]);
    expect(after[0]?.id).not.toBe(before?.id);
    await connect({ personId });
    expect(await connections()).toMatchObject([{ id: after[0]?.id, clinic_id: clinicId }]);
  });

  it('in several browsers at once is one: one page is active in the end, and nothing failed', async () => {
    const people = [await personWithPages(meta), await personWithPages(meta)];
    const consents = [...people, ...people].map(({ personId }) => connect({ personId }));
    expect(await Promise.all(consents)).toEqual(Array(4).fill({ connected: '1' }));
    const rows = await connections();
    expect(rows).toHaveLength(2);
    expect(rows.filter((each) => each.is_active)).toHaveLength(1);
  });
});

describe('The token', () => {
  it('is in no answer, no address, no line of the audit log, and in no table but sealed', async () => {
    const { personId } = await personWithPages(meta, 2);
    const told = await connect({ personId });
    const { body, text } = await call('GET', `/pending/${told.choose}`);
    const seen: Answer[] = [
      await call('POST', `/pending/${told.choose}`, { body: { choice: body.candidates[0].id } }),
      await call('GET', ''),
    ];
    const [dump] = await service.database.sql<{ everything: string }>(
      `SELECT concat((SELECT json_agg(e) FROM audit.events e), (SELECT json_agg(c) FROM messenger_connections c),
                     (SELECT json_agg(p) FROM messenger_pending_connections p),
                     (SELECT json_agg(a) FROM messenger_authorizations a),
                     (SELECT json_agg(j) FROM graphile_worker._private_jobs j)) AS everything`,
    );
    const shown = [JSON.stringify(told), text, ...seen.map((answer) => answer.text), dump?.everything].join('\n');
    expect(dump?.everything).toContain(personId);
    for (const token of await meta.tokens()) expect(shown).not.toContain(token);
    expect(seen.map(({ text: answered }) => answered).join()).not.toMatch(/sealed|v1\./);
  });
});
