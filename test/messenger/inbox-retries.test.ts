import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { demoAdmin } from '../../src/demo/demo.js';
import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, metaId } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** What cannot be processed is tried again, given up at last, and let run again by an admin. It spoils nothing else. */

const yesterday = Date.now() - 86_400_000;

let service: Service;
let webhook: Webhook;
let inbox: Inbox;
let pageId: string;
let personId: string;

beforeAll(async () => {
  service = await startService({ variables: { ...webhookVariables, LOCK_TIMEOUT_MS: '500' } });
  webhook = webhookOf(service);
  inbox = inboxOf(service);
  // What the database refuses of one message, whatever the reason.
  await service.database.sql(`
    CREATE FUNCTION public.refuse_poison() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
    BEGIN
      IF NEW.platform_message_id LIKE 'm_poison%' THEN RAISE EXCEPTION USING ERRCODE = 'XX000'; END IF;
      RETURN NEW;
    END $$`);
  await cure(false);
});
beforeEach(async () => {
  ({ pageId } = await insertConnection(service, 'provider@northside.example'));
  personId = metaId();
});
afterAll(() => service.stop());

async function cure(isCured: boolean): Promise<void> {
  await service.database.sql('DROP TRIGGER IF EXISTS refuse_poison ON public.messages');
  if (isCured) return;
  await service.database.sql(
    'CREATE TRIGGER refuse_poison BEFORE INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.refuse_poison()',
  );
}

const says = (mid: string, second: number, person = personId) =>
  fromPerson(pageId, person, { message: { mid: `${mid}_${pageId}`, text: mid } }, yesterday + second * 1_000);

async function receive(...items: object[]): Promise<void> {
  await webhook.deliver({ object: 'page', entry: [entryOf(pageId, ...items)] });
  await inbox.workOff();
}

const texts = async () => (await inbox.messages(pageId)).map(({ text }) => text);
const states = async () => (await inbox.events(pageId)).map(({ state }) => state);

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await isSo()); await pause(50))
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${isSo}.`);
}

async function tryAgain(times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await inbox.hasten();
    await inbox.workOff();
  }
}

describe('An event that cannot be processed', () => {
  it('keeps no other conversation waiting, and what follows in its own waits for it', async () => {
    const others = Array.from({ length: 50 }, metaId);
    await receive(
      says('before', 0),
      ...others.slice(0, 25).map((person, index) => says(`other${index}`, index, person)),
      says('m_poison', 1),
      says('after', 2),
      ...others.slice(25).map((person, index) => says(`another${index}`, index, person)),
    );
    const kept = await texts();
    expect(kept).toHaveLength(51);
    expect(kept).toContain('before');
    expect(kept).not.toContain('after');
    const waiting = (await inbox.events(pageId)).filter(({ state }) => state === 'received');
    expect(waiting).toMatchObject([
      { attempts: 1, error_code: 'sqlstate-XX000', waits: true },
      { attempts: 0, error_code: null, waits: false },
    ]);
    await inbox.delay();
    await receive(says('later', 3));
    expect(await texts()).not.toContain('later');
  });

  it('is given up after the fifth attempt, and its conversation goes on', async () => {
    let began = Date.now();
    await receive(says('m_poison', 0), says('after', 1));
    for (const [index, seconds] of [1, 5, 30, 120].entries()) {
      const [row] = await service.database.sql<{ next_attempt_at: Date }>(
        'SELECT next_attempt_at FROM webhook_events WHERE page_id = $1 AND attempts = $2',
        [pageId, index + 1],
      );
      const tried = (row?.next_attempt_at.getTime() ?? 0) - seconds * 1_000;
      expect(tried).toBeGreaterThanOrEqual(began);
      expect(tried).toBeLessThanOrEqual(Date.now());
      began = Date.now();
      await tryAgain(1);
    }
    expect(await inbox.events(pageId)).toMatchObject([
      { state: 'failed', attempts: 5, error_code: 'sqlstate-XX000', payload_sealed: expect.any(String) },
      { state: 'processed' },
    ]);
    expect(await texts()).toEqual(['after']);
    await tryAgain(1);
    expect(await states()).toEqual(['failed', 'processed']);
  });

  it('is processed once its cause is gone and an admin lets it run again, in its place', async () => {
    await receive(says('m_poison', 0), says('after', 1));
    await tryAgain(4);
    const token = await service.tokenOf(demoAdmin);
    const list = await service.call('GET', `/webhooks/events?state=failed&pageId=${pageId}`, { token });
    expect(list.body.data).toMatchObject([{ pageId, attempts: 5, errorCode: 'sqlstate-XX000' }]);
    await cure(true);
    try {
      const answer = await service.call('POST', `/webhooks/events/${list.body.data[0].id}/replay`, { token });
      expect(answer.status).toBe(200);
      await inbox.workOff();
    } finally {
      await cure(false);
    }
    expect(await texts()).toEqual(['m_poison', 'after']);
    expect(await states()).toEqual(['processed', 'processed']);
  });

  it('is taken up in time without anybody waking the worker', async () => {
    const working = await startService({
      variables: { ...webhookVariables, DATA_DIR: service.config.dataDir },
      database: service.database,
      withWorker: true,
    });
    try {
      await webhook.deliver({ object: 'page', entry: [entryOf(pageId, says('m_poison', 0))] });
      await until(async () => (await inbox.events(pageId))[0]?.attempts === 1);
      await cure(true);
      await until(async () => (await texts()).length === 1);
      expect(await inbox.events(pageId)).toMatchObject([{ state: 'processed', attempts: 1 }]);
    } finally {
      await cure(false);
      await working.stop();
    }
  });
});

describe('An event that does not open', () => {
  it('is tried again, given up with a code of its own, and spoils nothing', async () => {
    await webhook.deliver({ object: 'page', entry: [entryOf(pageId, says('broken', 0), says('sound', 1, metaId()))] });
    await service.database.sql(
      `UPDATE webhook_events SET payload_sealed = 'v1.unknown.AA.AA.AA'
        WHERE id = (SELECT id FROM webhook_events WHERE page_id = $1 ORDER BY id LIMIT 1)`,
      [pageId],
    );
    await inbox.workOff();
    expect(await texts()).toEqual(['sound']);
    await tryAgain(4);
    expect(await inbox.events(pageId)).toMatchObject([
      { state: 'failed', attempts: 5, error_code: 'payload-unreadable' },
      { state: 'processed' },
    ]);
  });
});

describe('A lock that is not given in time', () => {
  it('costs no event an attempt', async () => {
    await receive(says('first', 0));
    await webhook.deliver({ object: 'page', entry: [entryOf(pageId, says('second', 1))] });
    const other = new pg.Client(service.database.adminUrl);
    await other.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM conversations WHERE page_id = $1 FOR UPDATE', [pageId]);
      await expect(inbox.workOff()).rejects.toMatchObject({ code: '55P03' });
    } finally {
      await other.end();
    }
    expect(await inbox.events(pageId)).toMatchObject([{ state: 'processed' }, { state: 'received', attempts: 0 }]);
    await inbox.workOff();
    expect(await texts()).toEqual(['first', 'second']);
  });
});
