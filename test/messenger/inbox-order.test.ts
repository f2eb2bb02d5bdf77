import pg from 'pg';
import { InboxWorker } from '../../src/modules/messenger/inbox/inbox-worker.js';
import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, metaId } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** Events of one conversation come one after the other, by the platform's time; those of different ones side by side. */

const yesterday = Date.now() - 86_400_000;
const at = (second: number) => new Date(yesterday + second * 1_000);

let service: Service;
let second: Service;
let webhook: Webhook;
let inbox: Inbox;
let pageId: string;

beforeAll(async () => {
  service = await startService({ variables: webhookVariables });
  second = await startService({
    variables: { ...webhookVariables, DATA_DIR: service.config.dataDir },
    database: service.database,
  });
  webhook = webhookOf(service);
  inbox = inboxOf(service);
});
beforeEach(async () => {
  ({ pageId } = await insertConnection(service, 'provider@northside.example'));
});
afterAll(async () => {
  await second.stop();
  await service.stop();
});

/** Messages of so many people, `each` of every one, in any order; a person says 0, 1, 2, ... second by second. */
async function deliverShuffled(people: string[], each: number, perDelivery: number): Promise<void> {
  const items = people.flatMap((person, index) =>
    Array.from({ length: each }, (_, number) => {
      const message = { mid: `m_${pageId}_${index}_${number}`, text: String(number) };
      return { person, number, message };
    }),
  );
  const shuffled = items.map((item) => ({ item, rank: Math.random() })).sort((one, other) => one.rank - other.rank);
  const events = shuffled.map(({ item: { person, number, message } }) =>
    fromPerson(pageId, person, { message }, at(number).getTime()),
  );
  for (let from = 0; from < events.length; from += perDelivery)
    await webhook.deliver({ object: 'page', entry: [entryOf(pageId, ...events.slice(from, from + perDelivery))] });
}

async function expectEachInOrder(people: string[], each: number): Promise<void> {
  const conversations = await inbox.conversations(pageId);
  expect(conversations.map(({ participant_id }) => participant_id).sort()).toEqual([...people].sort());
  const messages = await inbox.messages(pageId);
  const expected = Array.from({ length: each }, (_, number) => String(number));
  for (const { id, unread_count, last_message_at, last_customer_message_at } of conversations) {
    const texts = messages.filter(({ conversation_id }) => conversation_id === id).map(({ text }) => text);
    expect(texts).toEqual(expected);
    const last = { unread_count, last_message_at, last_customer_message_at };
    expect(last).toEqual({ unread_count: each, last_message_at: at(each - 1), last_customer_message_at: at(each - 1) });
  }
}

describe('Messages that come in any order', () => {
  it('stand in the order of the platform, in one batch', async () => {
    const people = [metaId()];
    await deliverShuffled(people, 40, 40);
    await inbox.workOff();
    await expectEachInOrder(people, 40);
  });

  it('stand in the order of the platform, however they were delivered and taken', async () => {
    const people = Array.from({ length: 12 }, metaId);
    for (const deliveries of [1, 2]) {
      await deliverShuffled(people, 30, 50 * deliveries);
      await inbox.workOff();
    }
    await expectEachInOrder(people, 30);
  });
});

describe('More than one batch', () => {
  it('is worked off to the end by one job, and nothing is taken twice', async () => {
    const people = Array.from({ length: 60 }, metaId);
    await deliverShuffled(people, 50, 1_000);
    await inbox.workOff();
    await expectEachInOrder(people, 50);
    const left = await service.database.sql(`SELECT FROM webhook_events WHERE page_id = $1 AND state <> 'processed'`, [
      pageId,
    ]);
    expect(left).toEqual([]);
  }, 30_000);
});

describe('Two processes', () => {
  const shards = [0, 1, 2, 3];

  it('share the parts of the inbox while more comes, and keep each message once', async () => {
    const people = Array.from({ length: 40 }, metaId);
    const workers = [service, second].map(({ application }) => application.get(InboxWorker, { strict: false }));
    let delivered = false;
    // As the jobs do: each part is asked for again and again, by both.
    const working = workers.flatMap((worker) =>
      shards.map(async (shard) => {
        while (!delivered) await worker.work(shard);
      }),
    );
    await deliverShuffled(people, 25, 100);
    delivered = true;
    await Promise.all(working);
    await inbox.workOff();
    await expectEachInOrder(people, 25);
  }, 30_000);

  it('do not wait for each other: who finds a part taken leaves it to the other', async () => {
    await deliverShuffled([metaId()], 5, 5);
    const holder = await service.database.sql<{ lane: number }>(
      `SELECT shard AS lane FROM webhook_events WHERE page_id = $1 LIMIT 1`,
      [pageId],
    );
    const shard = holder[0]?.lane ?? 0;
    const other = new pg.Client(service.database.adminUrl);
    await other.connect();
    try {
      await other.query(`SELECT pg_advisory_lock(hashtextextended('messenger inbox ' || $1::integer, 0))`, [shard]);
      const worker = second.application.get(InboxWorker, { strict: false });
      expect(await worker.work(shard)).toBeUndefined();
      expect(await inbox.messages(pageId)).toEqual([]);
    } finally {
      await other.end();
    }
  });
});
