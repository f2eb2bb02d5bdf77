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
import { type Service, startService } from '../support/service.js';

/** A doctor's own Instagram account, from the dialog to the row that nobody else sees. */

const routes: ConnectRoutes = '/settings/instagram';
const doctor = demoAddress('provider', 'northside');
const colleague = demoAddress('staff', 'northside');

let meta: Meta;
let service: Service;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: meta.variables });
});
afterEach(async () => {
  await meta.control('faults/clear');
  for (const table of ['doctor_instagram', 'messenger_connections', 'messenger_pending_connections'])
    await service.database.sql(`DELETE FROM ${table}`);
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

type Consent = Parameters<Meta['consent']>[1];
const connect = async (consent: Consent, email = doctor) =>
  Object.fromEntries(await consentAs(service, meta, email, routes, consent));
const call = async (method: string, path: string, { email = doctor, body }: { email?: string; body?: object } = {}) =>
  service.call(method, `${routes}${path}`, { token: await service.tokenOf(email), body });
const accounts = () =>
  service.database.sql<Record<string, unknown>>('SELECT * FROM doctor_instagram ORDER BY created_at');

describe('A doctor', () => {
  it('connects the account behind the one page, which is subscribed to with its comments', async () => {
    const { personId, pages } = await personWithPages(meta);
    expect(await connect({ personId })).toEqual({ connected: '1' });
    const [page] = pages;
    const [row] = await accounts();
    expect(row).toMatchObject({
      ...{ instagram_page_id: page?.instagramId, facebook_page_id: page?.id, facebook_page_name: 'Practice 1' },
      ...{ instagram_username: page?.username, facebook_user_id: personId, instagram_health_level: 'ok' },
      instagram_access_token_sealed: expect.stringMatching(/^v1\./),
    });
    expect(await subscribedAt(meta, page?.id ?? '')).toContain('messages');
    const subscriptions = (await meta.calls()).filter(({ name }) => name === 'instagram.subscribe');
    expect(subscriptions).toHaveLength(1);
  });

  it('is asked for what comments and messages of Instagram need, beside what pages need', async () => {
    const { dialogUrl } = await beginConsent(service, doctor, routes);
    const { searchParams } = new URL(dialogUrl);
    expect(searchParams.get('scope')?.split(',')).toEqual([
      ...['pages_show_list', 'pages_manage_metadata', 'pages_messaging', 'pages_read_engagement'],
      ...['business_management', 'instagram_basic', 'instagram_manage_messages', 'instagram_manage_comments'],
    ]);
    expect(searchParams.get('redirect_uri')).toBe(service.config.meta.doctorRedirectUrl);
  });

  it('can do without comments, and not without messages', async () => {
    const { personId } = await personWithPages(meta);
    expect(await connect({ personId, withholds: ['instagram_manage_messages'] })).toEqual({ error: 'scopes-missing' });
    expect(await connect({ personId, withholds: ['instagram_manage_comments'] })).toEqual({ connected: '1' });
  });

  it('is connected also where Graph knows no subscription of accounts', async () => {
    const { personId } = await personWithPages(meta);
    await meta.fault({ on: 'instagram.subscribe', kind: 'refused' });
    expect(await connect({ personId })).toEqual({ connected: '1' });
  });

  it('chooses among several accounts; pages without one are none', async () => {
    const { personId, pages } = await personWithPages(meta, 2);
    await meta.page({ personId, name: 'Without Instagram' });
    const { choose } = await connect({ personId });
    expect(await accounts()).toEqual([]);
    const { body } = await call('GET', `/pending/${choose}`);
    expect(body.candidates).toMatchObject(
      pages.map(({ instagramId, username }) => ({ id: instagramId, username, alreadyConnected: false })),
    );
    expect(body.candidates[0]).not.toHaveProperty('pageId');
    const choice = pages[1]?.instagramId;
    expect((await call('GET', `/pending/${choose}`, { email: colleague })).status).toBe(404);
    expect((await call('POST', `/pending/${choose}`, { email: colleague, body: { choice } })).status).toBe(404);
    const chosen = await call('POST', `/pending/${choose}`, { body: { choice } });
    expect([chosen.status, chosen.body]).toMatchObject([200, { accountId: choice, username: pages[1]?.username }]);
    expect(chosen.text).not.toMatch(/v1\.|token/i);
    expect(await accounts()).toMatchObject([{ instagram_page_id: choice }]);
  });

  it('without an account on any page is told so, and without a page, too', async () => {
    const personId = await meta.person('Without Instagram');
    expect(await connect({ personId })).toEqual({ error: 'no-pages' });
    await meta.page({ personId, name: 'Without Instagram' });
    expect(await connect({ personId })).toEqual({ error: 'no-instagram-account' });
  });

  it('who connects another account has that one, and starts anew with it', async () => {
    const { personId, pages } = await personWithPages(meta, 2);
    const withPage = (index: number) => connect({ personId, pages: [pages[index]?.id ?? ''] });
    await withPage(0);
    await service.database.sql(`UPDATE doctor_instagram SET instagram_last_dm_success_at = now(),
      instagram_health_level = 'error', instagram_health_error_code = 'token-invalid', instagram_health_mailed_at = now()`);
    await withPage(0);
    const well = { instagram_health_level: 'ok', instagram_health_error_code: null, instagram_health_mailed_at: null };
    const [same] = await accounts();
    expect(same).toMatchObject({ instagram_page_id: pages[0]?.instagramId, ...well });
    expect(same?.instagram_last_dm_success_at).not.toBeNull();
    await withPage(1);
    expect(await accounts()).toMatchObject([
      { instagram_page_id: pages[1]?.instagramId, instagram_last_dm_success_at: null, ...well },
    ]);
  });

  it('is a user of that type', async () => {
    for (const email of [demoAdmin, demoAddress('patient', 'northside'), demoAddress('developer', 'northside')]) {
      expect((await call('GET', '/connect', { email })).status).toBe(403);
      expect((await call('DELETE', '/disconnect', { email })).status).toBe(403);
    }
  });
});

describe('Doctors of one clinic', () => {
  it('do not see each other’s account', async () => {
    const { personId } = await personWithPages(meta);
    await connect({ personId });
    const status = await call('GET', '/status', { email: colleague });
    expect(status.body).toMatchObject({ connected: false });
    expect((await call('DELETE', '/disconnect', { email: colleague })).status).toBe(204);
    expect(await accounts()).toHaveLength(1);
  });

  it('have an account each', async () => {
    const [one, other] = [await personWithPages(meta), await personWithPages(meta)];
    expect(await connect({ personId: one.personId })).toEqual({ connected: '1' });
    expect(await connect({ personId: other.personId }, colleague)).toEqual({ connected: '1' });
    expect(await accounts()).toHaveLength(2);
  });
});

describe('A state of an Instagram account', () => {
  it('is none for a page', async () => {
    const { personId } = await personWithPages(meta);
    const { dialogUrl, cookie } = await beginConsent(service, doctor, routes);
    const query = await meta.consent(dialogUrl, { personId });
    const told = await comeBack(service, '/messenger/pages', query, cookie);
    expect(Object.fromEntries(told)).toEqual({ error: 'connect-state-invalid' });
    expect(await accounts()).toEqual([]);
  });
});
