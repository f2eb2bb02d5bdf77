import { randomUUID } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** What an admin sees of events that are stuck, and how they are set going again. */

let service: Service;
let webhook: Webhook;
let admin: string;
beforeAll(async () => {
  service = await startService({ variables: webhookVariables });
  webhook = webhookOf(service);
  admin = await service.tokenOf(demoAdmin);
});
afterAll(() => service.stop());
beforeEach(async () => {
  await service.database.sql('DELETE FROM webhook_events');
  await service.database.sql(`SELECT graphile_worker.remove_job(key) FROM graphile_worker.jobs
                               WHERE task_identifier = 'messenger.process-events'`);
});

const page = '100000000000001';
const call = (method: string, path: string, body?: unknown, token = admin): Promise<Answer> =>
  service.call(method, `/webhooks/events${path}`, { token, body });
const outcome = ({ status, body }: Answer) => [status, body?.code];

/** An event of that page that ended, or waits, so. */
async function event(state: string, pageId = page): Promise<string> {
  const id = uuidv7();
  const payload = ['processed', 'discarded'].includes(state) ? null : 'sealed, and nobody sees it';
  await service.database.sql(
    `INSERT INTO webhook_events (id, object, page_id, lane, event_key, payload_sealed, state, attempts, error_code)
     VALUES ($1, 'page', $2, 1, $3, $4, $5, 5, CASE $5 WHEN 'failed' THEN 'internal-error' END)`,
    [id, pageId, randomUUID(), payload, state],
  );
  return id;
}

const rowOf = async (id: string) =>
  (await service.database.sql('SELECT state, attempts, error_code FROM webhook_events WHERE id = $1', [id]))[0];
const woken = async () =>
  (await service.database.sql(`SELECT 1 FROM graphile_worker.jobs WHERE task_identifier = 'messenger.process-events'`))
    .length > 0;

async function becomesWoken(): Promise<void> {
  for (let tries = 0; !(await woken()); tries += 1) {
    if (tries > 100) throw new Error('Nobody is woken.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('The lists of stuck events', () => {
  it('tell of those that were given up and of those that belong to nobody, oldest first, and not what they say', async () => {
    const failed = [await event('failed'), await event('failed', '42')];
    const unresolved = [await event('unresolved')];
    for (const state of ['received', 'processed', 'discarded']) await event(state);
    const listed = await call('GET', '');
    expect(listed.body).toEqual({
      nextCursor: null,
      data: failed.map((id, n) => ({
        ...{ id, object: 'page', pageId: n === 0 ? page : '42', state: 'failed', attempts: 5 },
        ...{ errorCode: 'internal-error', receivedAt: expect.any(String), nextAttemptAt: expect.any(String) },
      })),
    });
    expect(listed.text).not.toContain('sealed');
    const ids = async (query: string) => (await call('GET', query)).body.data.map(({ id }: { id: string }) => id);
    expect(await ids('?state=unresolved')).toEqual(unresolved);
    expect(await ids('?pageId=42')).toEqual([failed[1]]);
    expect(await ids('?pageId=43')).toEqual([]);
  });

  it('come in pages, whose cursors belong to one list', async () => {
    const all = [];
    for (let n = 0; n < 5; n += 1) all.push(await event('failed'));
    const seen: string[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null && pages < 9; pages += 1) {
      const { body } = await call('GET', `?limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    }
    expect(seen).toEqual(all);
    const { nextCursor } = (await call('GET', '?limit=2')).body;
    expect(outcome(await call('GET', `?state=unresolved&cursor=${nextCursor}`))).toEqual([400, 'invalid-cursor']);
  });

  it('are counted', async () => {
    await webhook.deliver({
      object: 'page',
      entry: [entryOf(page, fromPerson(page, '7', { message: { mid: 'm_1' } }))],
    });
    for (const state of ['failed', 'failed', 'processed']) await event(state);
    const { body } = await call('GET', '/summary');
    expect(body.data).toEqual([
      { state: 'received', count: 1, oldestReceivedAt: expect.any(String) },
      { state: 'failed', count: 2, oldestReceivedAt: expect.any(String) },
      { state: 'unresolved', count: 0, oldestReceivedAt: null },
    ]);
  });

  it.each(['?state=processed', '?state=received', '?pageId=x', "?pageId=1'%20OR%20true", '?limit=0', '?other=1'])(
    'refuse %s',
    async (query) => {
      expect(outcome(await call('GET', query))).toEqual([400, 'invalid-request']);
    },
  );
});

describe('An event that was given up', () => {
  it('is set going again as if it had just come, and its worker is woken', async () => {
    const id = await event('failed');
    const answer = await call('POST', `/${id}/replay`);
    expect([answer.status, answer.body]).toMatchObject([200, { id, state: 'received', attempts: 0, errorCode: null }]);
    expect(await rowOf(id)).toEqual({ state: 'received', attempts: 0, error_code: null });
    await becomesWoken();
  });

  it('is set going once, also by two at the same moment', async () => {
    const id = await event('failed');
    const both = await Promise.all([call('POST', `/${id}/replay`), call('POST', `/${id}/replay`)]);
    expect(both.map(outcome).sort()).toEqual([
      [200, undefined],
      [409, 'webhook-event-not-failed'],
    ]);
  });

  it.each(['received', 'unresolved', 'processed', 'discarded'])('is no event that is %s', async (state) => {
    const id = await event(state);
    const before = await rowOf(id);
    expect(outcome(await call('POST', `/${id}/replay`))).toEqual([409, 'webhook-event-not-failed']);
    expect(await rowOf(id)).toEqual(before);
  });

  it('is 404 where there is none', async () => {
    expect(outcome(await call('POST', `/${randomUUID()}/replay`))).toEqual([404, 'not-found']);
    expect(outcome(await call('POST', '/1/replay'))).toEqual([400, 'invalid-request']);
  });
});

describe('All events that were given up', () => {
  it('are set going at once, of one page or of all; others stay', async () => {
    const [one, other, unresolved] = [await event('failed'), await event('failed', '42'), await event('unresolved')];
    const ofPage = await call('POST', '/replay', { state: 'failed', pageId: '42' });
    expect([ofPage.status, ofPage.body]).toEqual([200, { replayed: 1, hasMore: false }]);
    expect([(await rowOf(one))?.state, (await rowOf(other))?.state]).toEqual(['failed', 'received']);
    expect((await call('POST', '/replay', { state: 'failed' })).body).toEqual({ replayed: 1, hasMore: false });
    expect([(await rowOf(one))?.state, (await rowOf(unresolved))?.state]).toEqual(['received', 'unresolved']);
    expect((await call('POST', '/replay', { state: 'failed' })).body).toEqual({ replayed: 0, hasMore: false });
    await becomesWoken();
  });

  it('are set going a thousand at a time, the oldest first', async () => {
    const newest = await event('failed');
    await service.database.sql(
      `INSERT INTO webhook_events (id, object, page_id, lane, event_key, payload_sealed, state)
       SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'page', '42', 1, 'key ' || n, 'sealed', 'failed'
         FROM generate_series(1, 1000) n`,
    );
    expect((await call('POST', '/replay', { state: 'failed' })).body).toEqual({ replayed: 1_000, hasMore: true });
    expect((await rowOf(newest))?.state).toBe('failed');
    expect((await call('POST', '/replay', { state: 'failed' })).body).toEqual({ replayed: 1, hasMore: false });
  });

  it.each([{}, { state: 'processed' }, { state: 'unresolved' }, { state: 'failed', all: true }])(
    'are not set going by %j',
    async (body) => {
      const id = await event('failed');
      expect(outcome(await call('POST', '/replay', body))).toEqual([400, 'invalid-request']);
      expect((await rowOf(id))?.state).toBe('failed');
    },
  );
});

describe('Whoever is no admin', () => {
  it('sees nothing of them and sets nothing going', async () => {
    const id = await event('failed');
    const requests: [string, string, unknown?][] = [
      ['GET', ''],
      ['GET', '/summary'],
      ['POST', `/${id}/replay`],
      ['POST', '/replay', { state: 'failed' }],
    ];
    for (const role of ['owner', 'clinic_admin', 'provider', 'patient']) {
      const token = await service.tokenOf(demoAddress(role, 'northside'));
      for (const [method, path, body] of requests)
        expect(outcome(await call(method, path, body, token))).toEqual([403, 'forbidden']);
    }
    for (const [method, path, body] of requests)
      expect((await service.call(method, `/webhooks/events${path}`, { body })).status).toBe(401);
    expect((await rowOf(id))?.state).toBe('failed');
  });
});

describe('The database', () => {
  it('lets an admin read no payload, and nobody else anything', async () => {
    const attempt = (role: string, statement: string) =>
      service.database.sql(`DO $$ BEGIN SET LOCAL ROLE ${role}; ${statement}; END $$`);
    const refused = /permission denied/;
    await expect(attempt('super_admin', 'PERFORM payload_sealed FROM webhook_events')).rejects.toThrow(refused);
    await expect(attempt('super_admin', 'PERFORM event_key FROM webhook_events')).rejects.toThrow(refused);
    await expect(attempt('super_admin', 'DELETE FROM webhook_events')).rejects.toThrow(refused);
    await expect(attempt('authenticated', 'PERFORM id FROM webhook_events')).rejects.toThrow(refused);
    await expect(attempt('anon', 'PERFORM id FROM webhook_events')).rejects.toThrow(refused);
  });
});
