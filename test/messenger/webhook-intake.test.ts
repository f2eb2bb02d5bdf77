import pg from 'pg';
import { signed, styled } from '../emulators/meta/callbacks.js';
import { type Meta, startMeta } from '../support/meta.js';
import { captureLog } from '../support/probe.js';
import { openRelay } from '../support/relay.js';
import { type Service, startService } from '../support/service.js';
import { appSecret, entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** What becomes of a delivery: each event kept once, before it is answered, and none spoilt by its neighbours. */

let service: Service;
let webhook: Webhook;
let log: Record<string, unknown>[];
beforeAll(async () => {
  service = await startService({
    variables: { ...webhookVariables, LOG_LEVEL: 'trace' },
    beforeListening: (application) => {
      log = captureLog(application);
    },
  });
  webhook = webhookOf(service);
});
afterAll(() => service.stop());
beforeEach(() => service.database.sql('DELETE FROM webhook_events'));

const page = '100000000000001';
const other = '100000000000002';
const person = '200000000000001';
const said = (mid: string, text = 'Good morning', more: object = {}) =>
  fromPerson(page, person, { message: { mid, text, ...more } });
const ofPage = (...entry: unknown[]) => ({ object: 'page', entry });
const taken = { status: 200, body: 'EVENT_RECEIVED' };
const mids = () => midsOf(webhook);
const midsOf = async ({ kept }: Webhook) =>
  (await kept()).map(({ payload }) => (payload.event.message as { mid: string } | undefined)?.mid);
const shuffled = <Item>(items: Item[]): Item[] => [...items].sort(() => Math.random() - 0.5);

describe('A delivery', () => {
  it('is split into its events, each kept as Meta wrote it, in their order', async () => {
    const written = [said('m_1', 'One'), said('m_2', 'Two 🦷', { unknown: { to: ['us'] } })];
    const pressed = fromPerson(page, person, { postback: { mid: 'm_3', title: 'Book', payload: 'BOOK' } });
    const standby = { id: other, time: 1, standby: [said('m_4')] };
    const change = { field: 'comments', value: { id: '17', text: 'When can I come?', from: { id: '9' } } };
    const answer = await webhook.deliver(
      ofPage(entryOf(page, ...written), entryOf(page, pressed), standby, { id: other, time: 1, changes: [change] }),
    );
    expect(answer).toEqual(taken);
    const kept = await webhook.kept();
    expect(kept.map(({ page_id, state, attempts, payload }) => [page_id, state, attempts, payload])).toEqual([
      [page, 'received', 0, { field: 'messaging', event: written[0] }],
      [page, 'received', 0, { field: 'messaging', event: written[1] }],
      [page, 'received', 0, { field: 'messaging', event: pressed }],
      [other, 'received', 0, { field: 'standby', event: said('m_4') }],
      [other, 'received', 0, { field: 'changes', event: change }],
    ]);
  });

  it('of a thousand entries is kept whole', async () => {
    const entries = Array.from({ length: 1_000 }, (_, n) => entryOf(page, said(`m_${n}`, `Number ${n} äöü`)));
    expect(await webhook.deliver(ofPage(...entries))).toEqual(taken);
    expect(await mids()).toEqual(entries.map((_, n) => `m_${n}`));
  });

  it('is kept sealed: what people write stands nowhere else, in no log either', async () => {
    const secret = 'My wisdom tooth hurts since Tuesday';
    await webhook.deliver(ofPage(entryOf(page, said('m_secret', secret))));
    await webhook.deliver(ofPage(entryOf(page, { ...said('m_odd', secret), timestamp: 'never' }, null as never)));
    await webhook.send(Buffer.from(JSON.stringify(ofPage(entryOf(page, said('m_unsigned', secret))))));
    const rows = JSON.stringify(await service.database.sql('SELECT to_jsonb(e) AS row FROM webhook_events e'));
    const jobs = JSON.stringify(
      await service.database.sql('SELECT to_jsonb(j) AS job FROM graphile_worker._private_jobs j'),
    );
    const audit = JSON.stringify(await service.database.sql('SELECT to_jsonb(a) AS line FROM audit.events a'));
    for (const place of [rows, jobs, audit, JSON.stringify(log)])
      for (const word of [secret, 'wisdom', person, 'm_secret']) expect(place).not.toContain(word);
    expect(JSON.stringify(log)).toContain('/api/v1/webhooks/meta');
  });

  it('wakes whoever processes it', async () => {
    await webhook.deliver(ofPage(entryOf(page, said('m_wake'))));
    for (let tries = 0; ; tries += 1) {
      const jobs = await service.database.sql(
        `SELECT 1 FROM graphile_worker.jobs WHERE task_identifier = 'messenger.process-events'`,
      );
      if (jobs.length > 0) break;
      if (tries > 100) throw new Error('Nobody is woken.');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  it.each([
    ['no JSON', 'this is no JSON', 'unreadable'],
    ['cut off', '{"object":"page","entry":[{"id":"1"', 'unreadable'],
    ['no object', '"page"', 'unknown-object'],
    ['null', 'null', 'unknown-object'],
    [
      'of another object',
      '{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{}]}]}',
      'unknown-object',
    ],
    ['of an object that every object has', '{"object":"constructor","entry":[]}', 'unknown-object'],
  ])('that is %s is answered, so that Meta does not send it again, and counted', async (_, text, outcome) => {
    const before = await webhook.counted('deliveries', outcome);
    const body = Buffer.from(text);
    expect(await webhook.send(body, signed(body, appSecret))).toEqual(taken);
    expect(await webhook.counted('deliveries', outcome)).toBe(before + 1);
    expect(await webhook.kept()).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['no entries', { object: 'page' }],
    ['entries that are no list', { object: 'page', entry: { id: page } }],
    ['an entry that is nothing', ofPage(null)],
    ['an entry that is a list', ofPage([])],
    ['an entry without an id', ofPage({ messaging: [said('m_x')] })],
    ['an entry with an id that no page has', ofPage({ id: `${page}\u0000`, messaging: [said('m_x')] })],
    ['an entry with an endless id', ofPage({ id: '1'.repeat(41), messaging: [said('m_x')] })],
    ['messages that are no list', ofPage({ id: page, messaging: { 0: said('m_x') } })],
    ['a message that is a text', ofPage({ id: page, messaging: ['m_x'] })],
    ['a change that is null', ofPage({ id: page, changes: [null] })],
  ])('with %s keeps nothing of it, and counts it', async (_, payload) => {
    const before = await webhook.counted('events', 'malformed');
    expect(await webhook.deliver(payload)).toEqual(taken);
    expect(await webhook.kept()).toEqual([]);
    expect(await webhook.counted('events', 'malformed')).toBe(before + 1);
  });

  it('with something malformed in it keeps all the rest', async () => {
    const broken = [null, 7, [], {}, { id: {} }, { id: 'x', messaging: [said('m_0')] }, { id: page, messaging: 'no' }];
    const entries = broken.flatMap((each, n) => [each, entryOf(page, said(`m_${n + 1}`), null as never, 'x' as never)]);
    expect(await webhook.deliver(ofPage(...entries, { id: page, messaging: [said('m_last')] }))).toEqual(taken);
    expect(await mids()).toEqual([...broken.map((_, n) => `m_${n + 1}`), 'm_last']);
  });

  it('that cannot be written spoils none of those that are written together with it', async () => {
    await service.database.sql(`
      CREATE FUNCTION refuse_page() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.page_id = '666' THEN RAISE 'not this one'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuse_page BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION refuse_page()`);
    try {
      const pages = Array.from({ length: 24 }, (_, n) => (n % 6 === 3 ? '666' : page));
      const answers = await Promise.all(
        pages.map((id, n) => webhook.deliver(ofPage(entryOf(page, said(`m_${n}`)), entryOf(id, said(`n_${n}`))))),
      );
      expect(answers.map(({ status }) => status)).toEqual(pages.map((id) => (id === '666' ? 500 : 200)));
      expect(await webhook.kept()).toHaveLength(40);
    } finally {
      await service.database.sql('DROP FUNCTION refuse_page CASCADE');
    }
  });

  it('that is nested without end does not stop the service, nor its neighbours', async () => {
    const deep = `${'{"a":['.repeat(60_000)}1${']}'.repeat(60_000)}`;
    const entry = `{"id":"${page}","messaging":[${JSON.stringify(said('m_1'))},{"message":${deep}},${JSON.stringify(said('m_2'))}]}`;
    const body = Buffer.from(`{"object":"page","entry":[${entry}]}`);
    expect(await webhook.send(body, signed(body, appSecret))).toEqual(taken);
    expect(await mids()).toEqual(['m_1', 'm_2']);
  });

  it('with fields that objects have by themselves is kept as it is', async () => {
    const text = `{"object":"page","entry":[{"id":"${page}","messaging":[{"__proto__":{"id":"1"},"sender":{"id":"9"},"message":{"mid":"m_p","text":"\\u0000\\ud83d"}}]}]}`;
    const body = Buffer.from(text);
    expect(await webhook.send(body, signed(body, appSecret))).toEqual(taken);
    const [event] = await webhook.kept();
    expect(JSON.stringify(event?.payload.event)).toBe(
      '{"__proto__":{"id":"1"},"sender":{"id":"9"},"message":{"mid":"m_p","text":"\\u0000\\ud83d"}}',
    );
  });

  it('of an entry of a kind that nobody knows is counted, and so is one with a number for its id', async () => {
    const before = await webhook.counted('events', 'unknown');
    expect(await webhook.deliver(ofPage({ id: 0, time: 1, messaging: [said('m_1')] }, { id: page, news: [] }))).toEqual(
      taken,
    );
    expect((await webhook.kept()).map(({ page_id }) => page_id)).toEqual(['0']);
    expect(await webhook.counted('events', 'unknown')).toBe(before + 1);
  });
});

describe('An event that comes again', () => {
  it('is kept once: in the same delivery, in another, spelt otherwise, beside others', async () => {
    const before = await webhook.counted('events', 'duplicate');
    const one = said('m_1', 'Ä');
    await webhook.deliver(ofPage(entryOf(page, one, one), entryOf(page, one)));
    await webhook.deliver(ofPage(entryOf(page, one)), 'compact');
    await webhook.deliver(ofPage({ ...entryOf(page, said('m_2'), one), time: 7 }), 'pretty');
    expect(await mids()).toEqual(['m_1', 'm_2']);
    expect(await webhook.counted('events', 'duplicate')).toBe(before + 4);
  });

  it('is the same message, when Meta tells more of it the second time', async () => {
    await webhook.deliver(ofPage(entryOf(page, said('m_1'))));
    await webhook.deliver(ofPage(entryOf(page, said('m_1', 'Good morning', { nlp: { intents: [] } }))));
    expect(await mids()).toEqual(['m_1']);
  });

  it('is another, when it only tells of the same message', async () => {
    const about = [
      said('m_1'),
      fromPerson(page, person, { message: { mid: 'm_1', is_deleted: true } }),
      fromPerson(page, person, { reaction: { mid: 'm_1', action: 'react', emoji: '❤' } }),
      fromPerson(page, person, { reaction: { mid: 'm_1', action: 'unreact' } }),
      fromPerson(page, person, { reaction: { mid: 'm_1', action: 'react', emoji: '❤' } }, 1_700_000_000_001),
      fromPerson(page, person, { read: { mid: 'm_1' } }),
      fromPerson(page, person, { delivery: { mids: ['m_1'], watermark: 1 } }),
      fromPerson(page, person, { message_edit: { mid: 'm_1', text: 'Good evening', num_edit: 1 } }),
      {
        ...fromPerson(page, page, { message: { mid: 'm_1', text: 'Good morning', is_echo: true } }),
        recipient: { id: person },
      },
    ];
    for (let round = 0; round < 2; round += 1) await webhook.deliver(ofPage(entryOf(page, ...shuffled(about))));
    expect(await webhook.kept()).toHaveLength(about.length);
  });

  it('is another on another page, and of Instagram', async () => {
    await webhook.deliver(ofPage(entryOf(page, said('m_1')), entryOf(other, said('m_1'))));
    await webhook.deliver({ object: 'instagram', entry: [entryOf(page, said('m_1'))] });
    expect((await webhook.kept()).map(({ object, page_id }) => [object, page_id])).toEqual([
      ['page', page],
      ['page', other],
      ['instagram', page],
    ]);
  });

  it('is kept once when deliveries in any order share it at the same moment, and all are answered', async () => {
    const all = Array.from({ length: 200 }, (_, n) => said(`m_${n}`));
    const deliveries = Array.from({ length: 24 }, () => ofPage(entryOf(page, ...shuffled(all).slice(0, 150))));
    const first = ofPage(entryOf(page, ...all));
    const answers = await Promise.all([...deliveries, first].map((each) => webhook.deliver(each)));
    expect(answers).toEqual(answers.map(() => taken));
    expect(new Set(await mids()).size).toBe(200);
    expect(await webhook.kept()).toHaveLength(200);
  });

  it('is written in the order of the keys, so that no two deliveries wait for each other', async () => {
    await webhook.deliver(ofPage(entryOf(page, said('m_1'), said('m_2'))));
    const [low = '', high = ''] = (await webhook.kept()).map(({ event_key }) => event_key).sort();
    const inOrder = (await webhook.kept()).sort((one, next) => (one.event_key < next.event_key ? 1 : -1));
    await service.database.sql('DELETE FROM webhook_events');
    const before = await undone();
    const client = new pg.Client(service.database.adminUrl);
    await client.connect();
    const hold = (key: string) =>
      client.query(
        `INSERT INTO webhook_events (object, page_id, lane, event_key, payload_sealed) VALUES ('page', '1', 1, $1, 'x')`,
        [key],
      );
    try {
      await client.query('BEGIN');
      await hold(low);
      const answer = webhook.deliver(ofPage(entryOf(page, ...inOrder.map(({ payload }) => payload.event))));
      await waitsForLock();
      // Had the delivery written this one before it came to the other, each would wait for the other now.
      await hold(high);
      await client.query('ROLLBACK');
      expect(await answer).toEqual(taken);
    } finally {
      await client.end();
    }
    expect(await webhook.kept()).toHaveLength(2);
    // A deadlock would be tried again, and be seen in this alone.
    expect(await undone()).toBe(before);
  });
});

/** Transactions that were rolled back since the service was started. */
async function undone(): Promise<number> {
  const { text } = await service.call('GET', '//metrics');
  return Number(/^polyclinic_transactions_total\{outcome="rolled-back"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function waitsForLock(): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const waiting = await service.database.sql(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    if (waiting.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('Nobody waits.');
}

describe('Events of one conversation', () => {
  it('share a lane, whoever of the two wrote and whichever id Meta names; others have another', async () => {
    const echo = { sender: { id: page }, recipient: { id: person }, message: { mid: 'm_2', is_echo: true } };
    const read = fromPerson(page, person, { read: { watermark: 1 } });
    await webhook.deliver(ofPage(entryOf(page, said('m_1'), echo, read), { id: page, standby: [said('m_3')] }));
    const ofAccount = fromPerson(page, person, { message: { mid: 'm_4' } });
    const echoOfAccount = { ...echo, message: { mid: 'm_5', is_echo: true } };
    await webhook.deliver({ object: 'instagram', entry: [entryOf(page, ofAccount), entryOf(other, echoOfAccount)] });
    expect(new Set((await webhook.kept()).map(({ lane }) => lane)).size).toBe(1);
    const strangers = Array.from({ length: 64 }, (_, n) => fromPerson(page, `30${n}`, { message: { mid: `s_${n}` } }));
    await webhook.deliver(ofPage(entryOf(page, ...strangers)));
    const lanes = (await webhook.kept()).slice(6).map(({ lane }) => lane);
    expect(new Set(lanes).size).toBe(64);
    expect(new Set(lanes.map((lane) => lane & 15)).size).toBeGreaterThan(10);
  });

  it('have a lane also where nobody is named', async () => {
    expect(
      await webhook.deliver(ofPage(entryOf(page, { optin: { ref: 'x' } }, { sender: null, recipient: 7 }))),
    ).toEqual(taken);
    expect(await webhook.kept()).toHaveLength(2);
  });
});

describe('While nothing can be written', () => {
  it('no more is held than fits; what was answered 200 is kept, and the rest is for Meta to send again', async () => {
    const client = new pg.Client(service.database.adminUrl);
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('LOCK TABLE webhook_events IN ACCESS EXCLUSIVE MODE');
      const large = 'x'.repeat(1_000_000);
      const answers = Array.from({ length: 32 }, (_, n) =>
        webhook.deliver(ofPage(entryOf(page, said(`m_${n}`, large))), 'compact'),
      );
      // At once, and not because a lock was waited for in vain.
      await Promise.race(
        answers.map(async (answer) => ((await answer).body.includes('"database-unavailable"') ? true : never())),
      );
      await client.query('ROLLBACK');
      const statuses = (await Promise.all(answers)).map(({ status }) => status);
      const kept = statuses.filter((status) => status === 200).length;
      expect(kept).toBeGreaterThan(15);
      expect(statuses.filter((status) => status === 503)).toHaveLength(32 - kept);
      expect(await service.database.sql('SELECT id FROM webhook_events')).toHaveLength(kept);
    } finally {
      await client.end();
    }
  });
});

const never = () => new Promise<never>(() => undefined);

describe('While the database is away', () => {
  it('a delivery is refused, and is kept once Meta sends it again', async () => {
    const { apiUrl } = service.database;
    const relay = await openRelay(apiUrl);
    const behind = Object.assign(new URL(apiUrl), { port: new URL(relay.url).port, hostname: '127.0.0.1' });
    const cut = await startService({
      database: service.database,
      variables: { ...webhookVariables, DATABASE_URL: String(behind) },
    });
    try {
      const behindTheRelay = webhookOf(cut);
      const { deliver } = behindTheRelay;
      const payload = ofPage(entryOf(page, said('m_1'), said('m_2')));
      expect((await deliver(ofPage(entryOf(page, said('m_0'))))).status).toBe(200);
      await relay.cut();
      const refused = await deliver(payload);
      expect([refused.status, JSON.parse(refused.body).code]).toEqual([503, 'database-unavailable']);
      expect(await midsOf(behindTheRelay)).toEqual(['m_0']);
      await relay.restore();
      expect(await deliver(payload)).toEqual(taken);
      expect(await midsOf(behindTheRelay)).toEqual(['m_0', 'm_1', 'm_2']);
    } finally {
      await cut.stop();
      await relay.stop();
    }
  });
});

describe("What Meta's emulator tells", () => {
  let meta: Meta;
  beforeAll(async () => {
    meta = await startMeta();
  });
  afterAll(() => meta.stop());

  it('is kept byte for byte, of Messenger and Instagram, in whatever spelling', async () => {
    const personId = await meta.person('Told');
    const { id, instagramId } = await meta.page({ personId, name: 'Told', instagram: { username: 'told' } });
    for (const pageId of [id, instagramId ?? '']) {
      const text = 'Grüße 👩🏽‍⚕️ "in" <quotes> / and \\ so on';
      const { payload, mid } = await meta.write({ pageId, from: 'Ayşe', text, deliver: false });
      for (const style of ['escaped', 'pretty', 'compact'] as const) {
        const told = await meta.deliver({ url: webhook.url, payload, style, secret: appSecret });
        expect(told).toEqual(taken);
      }
      const spoilt = await meta.deliver({ url: webhook.url, payload, spoil: 'bit', secret: appSecret });
      expect(spoilt.status).toBe(401);
      expect((await webhook.kept(pageId)).map(({ payload: { event } }) => event.message)).toEqual([
        expect.objectContaining({ mid, text }),
      ]);
    }
    expect(styled({ text: 'ü/' }, 'escaped').toString()).toBe('{"text":"\\u00fc\\/"}');
  });
});
