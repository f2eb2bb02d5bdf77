import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { insertConversation, userOf } from '../support/messenger.js';
import {
  type BegunConsent,
  beginConsent,
  type ConnectRoutes,
  comeBack,
  personWithPages,
  subscribedAt,
} from '../support/messenger-connect.js';
import { type Meta, startMeta } from '../support/meta.js';
import { becomes, hearFrom, isSent, openPractice, say, standing } from '../support/sending.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, webhookOf } from '../support/webhooks.js';

/** The same request many times at the same moment, and requests that cross each other: it counts once, and says so. */

const doctor = demoAddress('provider', 'northside');
const places: { routes: ConnectRoutes; list: string; table: string; page: string }[] = [
  { routes: '/messenger/pages', list: '', table: 'messenger_connections', page: 'page_id' },
  { routes: '/settings/instagram', list: '', table: 'doctor_instagram', page: 'facebook_page_id' },
];

let meta: Meta;
let service: Service;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({
    withWorker: true,
    variables: { ...meta.variables, META_APP_SECRET_PREVIOUS: 'the one before' },
  });
}, 60_000);
afterEach(async () => {
  await meta.control('latency', { ms: 0 });
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

const times = <Made>(count: number, make: (index: number) => Promise<Made>): Promise<Made[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));
const sorted = (answers: readonly Answer[]): string[] =>
  answers.map(({ status, body }) => `${status} ${body?.code ?? ''}`.trim()).sort();
const call = async (method: string, path: string, { email = doctor, body, headers = {} }: Asked = {}) =>
  service.call(method, path, { token: await service.tokenOf(email), body, headers });

interface Asked {
  email?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await isSo()); await pause(50))
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${what}`);
}

async function forgetAll(): Promise<void> {
  for (const table of ['messenger_connections', 'doctor_instagram', 'messenger_pending_connections'])
    await service.database.sql(`DELETE FROM ${table}`);
}

describe.each(places)('At $routes', ({ routes, table, page: column }) => {
  const active = async (): Promise<unknown[]> => {
    const rows = await service.database.sql<Record<string, unknown>>(`SELECT * FROM ${table}`);
    return rows.filter(({ is_active }) => is_active !== false).map((row) => row[column]);
  };
  beforeEach(forgetAll);

  it('a browser that comes back ten times at once is connected once', async () => {
    const { personId, pages } = await personWithPages(meta);
    const { dialogUrl, cookie } = await beginConsent(service, doctor, routes);
    const query = await meta.consent(dialogUrl, { personId });
    const told = await times(10, () => comeBack(service, routes, query, cookie));
    const words = told.map((each) => each.toString()).sort();
    expect(words).toEqual(['connected=1', ...Array(9).fill('error=connect-state-invalid')]);
    expect(await active()).toEqual([pages[0]?.id]);
    expect(await meta.count('oauth.code')).toBeGreaterThan(0);
  });

  it('a choice that is made ten times at once is made once', async () => {
    const { personId, pages } = await personWithPages(meta, 2);
    const { dialogUrl, cookie } = await beginConsent(service, doctor, routes);
    const told = await comeBack(service, routes, await meta.consent(dialogUrl, { personId }), cookie);
    const path = `${routes}/pending/${told.get('choose')}`;
    const choice = routes === '/messenger/pages' ? pages[1]?.id : pages[1]?.instagramId;
    const answers = await times(10, () => call('POST', path, { body: { choice } }));
    expect(sorted(answers)).toEqual(['200', ...Array(9).fill('404 not-found')]);
    expect(await active()).toEqual([pages[1]?.id]);
    expect(await subscribedAt(meta, pages[1]?.id ?? '')).toContain('messages');
  });

  it('who lets go while connecting again is connected, told of and allowed by Meta, or none of it', async () => {
    const { personId, pages } = await personWithPages(meta);
    const [page] = pages;
    const begin = () => beginConsent(service, doctor, routes);
    const finish = async ({ dialogUrl, cookie }: BegunConsent) =>
      comeBack(service, routes, await meta.consent(dialogUrl, { personId }), cookie);
    await finish(await begin());
    await meta.control('latency', { ms: 40 });
    for (const waitMs of [0, 120, 240, 360]) {
      const list = await call('GET', '/messenger/pages');
      const path = routes === '/messenger/pages' ? `${routes}/${list.body.data[0].id}` : `${routes}/disconnect`;
      await meta.control('calls/clear', {});
      const again = finish(await begin());
      await pause(waitMs);
      const left = await times(3, () => call('DELETE', path));
      expect(sorted(left)).toEqual(['204', '204', '204']);
      // What Meta took back in between is missed by whoever reads the subscription back.
      expect(['connected=1', 'error=subscription-failed']).toContain((await again).toString());
      await untilMetaHasHeard();
      const isConnected = (await active()).length === 1;
      const isTold = (await subscribedAt(meta, page?.id ?? '')).includes('messages');
      const withdrawn = (await meta.calls()).filter((made) => made.name === 'permissions.revoke');
      const isAllowed = !withdrawn.some(({ objectId }) => objectId === personId);
      expect({ waitMs, isTold, isAllowed }).toEqual({ waitMs, isTold: isConnected, isAllowed: isConnected });
      if (!isConnected) await finish(await begin());
    }
  }, 60_000);
});

/** What waits until nobody is at Meta's dialog any more is due at once. */
async function untilMetaHasHeard(): Promise<void> {
  const left = `UPDATE graphile_worker._private_jobs SET run_at = least(run_at, now())
    WHERE key LIKE 'messenger.leave-page:%' AND attempts < max_attempts RETURNING id`;
  await until(async () => (await service.database.sql(left)).length === 0, 'that Meta has heard of all');
}

describe('An answer', () => {
  it('that is sent twenty times at once with one Idempotency-Key leaves once', async () => {
    const practice = await openPractice(meta, service);
    const talk = await hearFrom(meta, service, practice, 'Impatient');
    const headers = { 'idempotency-key': 'twenty at once' };
    const answers = await times(20, () => say(service, talk, 'Once and for all', { headers }));
    const taken = answers.filter(({ status }) => status === 202);
    expect(new Set(taken.map(({ body }) => body.id)).size).toBe(1);
    const refused = answers.filter(({ status }) => status !== 202);
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.code}`)).size).toBeLessThan(2);
    await becomes(service.database, taken[0]?.body.id, isSent);
    expect((await say(service, talk, 'Once and for all', { headers })).body.id).toBe(taken[0]?.body.id);
    expect(await standing(meta, talk)).toEqual(['Once and for all']);
  });
});

describe('Of twenty changes of one version', () => {
  const version = async (path: string) => ({ 'if-match': (await call('GET', path)).headers.get('etag') ?? '' });
  const expected = ['200', ...Array(19).fill('412 precondition-failed')];

  it('of a conversation one is made', async () => {
    const id = await insertConversation(service.database, await userOf(service.database, doctor));
    const path = `/messenger/conversations/${id}`;
    const headers = await version(path);
    const states = ['snoozed', 'closed'];
    const answers = await times(20, (index) => call('PATCH', path, { body: { status: states[index % 2] }, headers }));
    expect(sorted(answers)).toEqual(expected);
    expect((await call('GET', path)).body.status).toBe(answers.find(({ status }) => status === 200)?.body.status);
  });

  it('of the settings one is made, also where there are none yet', async () => {
    for (const round of ['first', 'second']) {
      const headers = await version('/settings/doctor');
      const body = (index: number) => ({ specialty: `${round} ${index}` });
      const answers = await times(20, (index) => call('PATCH', '/settings/doctor', { body: body(index), headers }));
      expect(sorted(answers)).toEqual(expected);
    }
  });

  it('without a version all are made, and none takes back another field', async () => {
    await service.database.sql('DELETE FROM doctor_settings');
    const fields = { specialty: 'Orthodontics', practiceName: 'Ring', slotIntervalMinutes: 20, minAdvanceHours: 4 };
    const answers = await Promise.all(
      Object.entries(fields).map(([name, value]) => call('PATCH', '/settings/doctor', { body: { [name]: value } })),
    );
    expect(sorted(answers)).toEqual(['200', '200', '200', '200']);
    expect((await call('GET', '/settings/doctor')).body).toMatchObject(fields);
  });
});

describe('While the secret of the app is being changed', () => {
  it('the same events, signed with either and delivered at the same moment, are kept once', async () => {
    const { url } = webhookOf(service);
    const pageId = `${Date.now()}`;
    const items = Array.from({ length: 20 }, (_, index) =>
      fromPerson(pageId, '4711', { message: { mid: `m_rotated_${index}`, text: 'Hi' } }),
    );
    const payload = { object: 'page', entry: [entryOf(pageId, ...items)] };
    const secrets = ['emulator-secret', 'the one before'];
    const answers = await times(40, (index) => meta.deliver({ url, payload, secret: secrets[index % 2] ?? '' }));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const [kept] = await service.database.sql('SELECT count(*)::int AS events FROM webhook_events WHERE page_id = $1', [
      pageId,
    ]);
    expect(kept).toEqual({ events: 20 });
  });
});

describe('Events that admins set going again while the worker takes them', () => {
  it('are processed once each', async () => {
    const practice = await openPractice(meta, service);
    await service.database.sql(`
      CREATE FUNCTION public.refuse_all() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
      BEGIN IF NEW.platform_message_id LIKE 'm_again_%' THEN RAISE EXCEPTION USING ERRCODE = 'XX000'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuse_all BEFORE INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.refuse_all()`);
    const { url } = webhookOf(service);
    const now = Date.now();
    const items = Array.from({ length: 40 }, (_, index) =>
      fromPerson(
        practice.pageId,
        `77${index % 8}`,
        { message: { mid: `m_again_${index}`, text: `${index}` } },
        now + index,
      ),
    );
    await meta.deliver({ url, payload: { object: 'page', entry: [entryOf(practice.pageId, ...items)] } });
    const events = `SELECT id, state FROM webhook_events WHERE page_id = '${practice.pageId}'`;
    const states = async () => (await service.database.sql<{ state: string }>(events)).map(({ state }) => state);
    await until(async () => {
      await service.database.sql(`UPDATE webhook_events SET next_attempt_at = now() WHERE state = 'received'`);
      await service.database.sql(`SELECT graphile_worker.add_job('messenger.find-events', '{}', job_key => 'find')`);
      return (await states()).every((state) => state === 'failed');
    }, 'that all are given up');
    await service.database.sql('DROP TRIGGER refuse_all ON public.messages');

    const ids = (await service.database.sql<{ id: string }>(events)).map(({ id }) => id);
    const replay = (path: string, body?: object) =>
      call('POST', `/webhooks/events/${path}`, { email: demoAdmin, body });
    const all = Array.from({ length: 8 }, () => replay('replay', { state: 'failed' }));
    const answers = await Promise.all([...all, ...[...ids, ...ids, ...ids].map((id) => replay(`${id}/replay`))]);
    for (const answer of sorted(answers)) expect(['200', '409 webhook-event-not-failed']).toContain(answer);
    await until(async () => (await states()).every((state) => state === 'processed'), 'that all are processed');
    const [kept] = await service.database.sql(
      `SELECT count(*)::int AS messages, (SELECT sum(unread_count)::int FROM conversations WHERE page_id = $1) AS unread
         FROM messages WHERE platform_message_id LIKE 'm_again_%'`,
      [practice.pageId],
    );
    expect(kept).toEqual({ messages: 40, unread: 40 });
  }, 60_000);
});
