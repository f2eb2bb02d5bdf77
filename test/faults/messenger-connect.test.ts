import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import type { Fault, FaultKind } from '../emulators/meta/faults.js';
import { type ConnectRoutes, consentAs, personWithPages, subscribedAt } from '../support/messenger-connect.js';
import { type Meta, startMeta } from '../support/meta.js';
import { type Service, startService } from '../support/service.js';

/**
 * Meta slow, wrong and down at every call that connecting makes. Whatever comes of it: either somebody is connected and
 * Meta tells us of the page, or the person is told why not, nothing is kept of it, and Meta is told to tell us nothing.
 */

const doctor = demoAddress('provider', 'northside');
const longestAnswerMs = 15_000;
/** As often as anything asks again. */
const always = 9;

/** Of what only asks, or is of no use to anybody without its answer. */
const ofQuestions: FaultKind[] = ['malformed', 'refused'];
/** Nothing is done by some of them, and the answer of what was done is lost by the others. */
const ofChanges: FaultKind[] = ['late', 'cut-before', 'cut-after', 'internal-after', 'token-revoked', 'not-found'];

/** What the settings page may be told. */
const codes = [
  ...['connect-code-refused', 'scopes-missing', 'no-pages', 'subscription-failed', 'meta-unavailable', 'meta-refused'],
  ...['meta-reauthorize', 'meta-permission-missing'],
];

let meta: Meta;
let service: Service;

beforeAll(async () => {
  meta = await startMeta();
  const variables = { ...meta.variables, META_TIMEOUT_MS: '1000' };
  service = await startService({ withWorker: true, variables });
});
afterEach(() => meta.control('faults/clear'));
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

interface Attempt {
  pageId: string;
  accountId: string;
  personId: string;
  /** What the settings page is told. */
  told: Record<string, string>;
}

async function attempt(routes: ConnectRoutes, fault?: Fault): Promise<Attempt> {
  const { personId, pages } = await personWithPages(meta);
  const [page] = pages;
  if (fault) await meta.fault({ times: always, delayMs: 1_500, ...fault });
  const begun = performance.now();
  const told = await consentAs(service, meta, doctor, routes, { personId });
  expect(performance.now() - begun).toBeLessThan(longestAnswerMs);
  await meta.control('faults/clear');
  return { personId, pageId: page?.id ?? '', accountId: page?.instagramId ?? '', told: Object.fromEntries(told) };
}

/** What is kept of anybody's consent to that page, but for a doctor's earlier one. */
async function kept({ pageId, personId }: Attempt): Promise<{ connected: number; other: number }> {
  const [row] = await service.database.sql<{ connected: number; other: number }>(
    `SELECT (SELECT count(*) FROM messenger_connections WHERE page_id = $1 AND is_active
                AND page_access_token_sealed IS NOT NULL)::int
            + (SELECT count(*) FROM doctor_instagram WHERE facebook_page_id = $1)::int AS connected,
            (SELECT count(*) FROM messenger_authorizations)::int
            + (SELECT count(*) FROM messenger_pending_connections WHERE facebook_user_id = $2)::int AS other`,
    [pageId, personId],
  );
  return row ?? { connected: -1, other: -1 };
}

async function expectWhole(attempted: Attempt): Promise<void> {
  const { told, pageId } = attempted;
  const { connected, other } = await kept(attempted);
  const isConnected = told.connected === '1';
  expect({ connected, other, told }).toEqual({ connected: isConnected ? 1 : 0, other: 0, told });
  if (isConnected) expect(await subscribedAt(meta, pageId)).toContain('messages');
  else expect(codes).toContain(told.error);
}

/** Nobody is connected there: Meta tells us of neither, as soon as it has heard. */
async function untilUntold({ pageId, accountId }: Attempt): Promise<void> {
  for (const deadline = Date.now() + 15_000; ; await pause(100)) {
    // What is only to be said in a while is not waited for.
    await service.database.sql(
      `UPDATE graphile_worker._private_jobs SET run_at = now() WHERE run_at > now() AND key LIKE 'messenger.leave-page:%'`,
    );
    const fields = [...(await subscribedAt(meta, pageId)), ...(await subscribedAt(meta, accountId))];
    if (fields.length === 0) return;
    if (Date.now() > deadline) throw new Error(`Meta still tells us of ${pageId}: ${fields}.`);
  }
}

const questions: [string, Omit<Fault, 'kind'>][] = [
  ['the code', { on: 'oauth.code' }],
  ['the long token', { on: 'oauth.extend' }],
  ['what was allowed', { on: 'debug_token' }],
  ['the pages', { on: 'accounts' }],
  ["the page's token", { on: 'debug_token', after: 1 }],
  ['what is subscribed', { on: 'page.subscriptions' }],
];

describe('Connecting a page while Meta fails', () => {
  const isMendedAfterwards = async (): Promise<void> => {
    const after = await attempt('/messenger/pages');
    expect(after.told).toEqual({ connected: '1' });
    await expectWhole(after);
  };

  it.each(questions)(
    'to tell %s keeps nothing, says why, and works the next time',
    async (_what, call) => {
      // Silence is waited for, and is the same at each.
      for (const kind of [...ofQuestions, ...(call.on === 'accounts' ? (['timeout'] as const) : [])]) {
        const failed = await attempt('/messenger/pages', { ...call, kind });
        expect([kind, failed.told.error]).toEqual([kind, expect.any(String)]);
        await expectWhole(failed);
        if (call.on === 'page.subscriptions') await untilUntold(failed);
      }
      await isMendedAfterwards();
    },
    60_000,
  );

  it('to subscribe, or to say so, keeps nothing, here or there', async () => {
    for (const kind of ofChanges) {
      const failed = await attempt('/messenger/pages', { on: 'page.subscribe', kind });
      expect([kind, failed.told.error]).toEqual([kind, expect.any(String)]);
      await expectWhole(failed);
      if (kind === 'late') await pause(1_500);
      await untilUntold(failed);
    }
    await isMendedAfterwards();
  }, 60_000);
});

describe("Connecting a doctor's account while Meta fails", () => {
  it('to tell of the account keeps nothing, here or there', async () => {
    for (const on of ['instagram.subscribe', 'instagram.subscriptions'] as const) {
      for (const kind of ['cut-after', 'token-revoked'] as const) {
        const failed = await attempt('/settings/instagram', { on, kind });
        expect([on, kind, failed.told.error]).toEqual([on, kind, expect.any(String)]);
        await expectWhole(failed);
        await untilUntold(failed);
      }
    }
    const after = await attempt('/settings/instagram');
    expect(after.told).toEqual({ connected: '1' });
    await expectWhole(after);
  }, 60_000);
});

describe('A choice that is made while Meta fails', () => {
  it('is refused by a problem, keeps nothing, and can be made again', async () => {
    const { personId, pages } = await personWithPages(meta, 2);
    const told = await consentAs(service, meta, doctor, '/messenger/pages', { personId });
    const path = `/messenger/pages/pending/${told.get('choose')}`;
    const token = await service.tokenOf(doctor);
    const choose = () => service.call('POST', path, { token, body: { choice: pages[1]?.id } });
    for (const on of ['accounts', 'debug_token', 'page.subscribe', 'page.subscriptions'] as const) {
      for (const kind of ['malformed', 'refused'] as const) {
        await meta.fault({ on, kind, times: always });
        const { status, headers, body } = await choose();
        await meta.control('faults/clear');
        expect([on, kind, codes.includes(body.code), status]).toEqual([on, kind, true, expect.any(Number)]);
        expect([409, 422, 502, 503]).toContain(status);
        expect(headers.get('content-type')).toContain('application/problem+json');
      }
      await service.call('GET', path, { token });
    }
    await untilUntold({ personId, pageId: pages[1]?.id ?? '', accountId: '', told: {} });
    const rows = await service.database.sql('SELECT FROM messenger_connections WHERE page_id = $1', [pages[1]?.id]);
    expect(rows).toEqual([]);
    expect((await choose()).status).toBe(200);
  }, 60_000);
});

describe('Letting go while Meta fails', () => {
  it.each(['page.unsubscribe', 'permissions.revoke'] as const)(
    'at %s is done at once, and told later',
    async (on) => {
      for (const kind of ['cut-after', 'internal'] as const) {
        const connected = await attempt('/messenger/pages');
        await meta.fault({ on, kind });
        const token = await service.tokenOf(doctor);
        const { body } = await service.call('GET', '/messenger/pages', { token });
        const path = `/messenger/pages/${body.data.find(({ pageId }: { pageId: string }) => pageId === connected.pageId).id}`;
        expect((await service.call('DELETE', path, { token })).status).toBe(204);
        expect(await kept(connected)).toEqual({ connected: 0, other: 0 });
        await untilUntold(connected);
        await untilWithdrawn(connected);
      }
    },
    60_000,
  );
});

async function untilWithdrawn({ personId }: Attempt): Promise<void> {
  for (const deadline = Date.now() + 15_000; ; await pause(100)) {
    const withdrawn = (await meta.calls()).filter(
      (call) => call.name === 'permissions.revoke' && call.objectId === personId,
    );
    if (withdrawn.length >= 8) return;
    if (Date.now() > deadline) throw new Error(`Only ${withdrawn.length} permissions of ${personId} were taken back.`);
    await service.database.sql(
      `UPDATE graphile_worker._private_jobs SET run_at = now() WHERE run_at > now() AND key LIKE 'messenger.leave-page:%'`,
    );
  }
}
