import { setTimeout as pause } from 'node:timers/promises';
import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, insertInstagram } from '../support/messenger.js';
import { type Meta, startMeta } from '../support/meta.js';
import { Practice } from '../support/meta-practice.js';
import { type OwnServer, startOwnServer } from '../support/own-server.js';
import type { ServiceProcess } from '../support/process.js';
import { startWorker } from '../support/publishing-workers.js';
import { type Service, startService } from '../support/service.js';
import { expectNoTrace } from '../support/traces.js';

/**
 * Ten thousand messages, a fifth of them told twice, in any order, while the database falls over twice and workers are
 * killed. Meta repeats what was not answered with 200, and nothing else.
 */

const messages = 10_000;
const people = 100;
const verifyToken = 'the verify token of the test';
const yesterday = Date.now() - 86_400_000;
const patienceMs = 120_000;
/** In every text, so that it is found wherever one has come to rest. */
const marker = 'for the ears of my doctor';

let server: OwnServer;
let meta: Meta;
let service: Service;
let inbox: Inbox;
let page: Practice;
let account: Practice;
const workers: ServiceProcess[] = [];
const written: { mid: string; participantId: string }[] = [];

beforeAll(async () => {
  [server, meta] = await Promise.all([startOwnServer(), startMeta()]);
  const variables = { ...meta.variables, META_WEBHOOK_VERIFY_TOKEN: verifyToken };
  service = await startService({ database: server.database, variables });
  inbox = inboxOf(service);
  [page, account] = await Promise.all([Practice.open(meta), Practice.open(meta)]);
  for (const practice of [page, account]) await practice.subscribe('messages');
  await insertConnection(service, 'provider@northside.example', { page_id: page.id, token: page.token });
  await insertInstagram(service, 'staff@northside.example', {
    ...{ instagram_page_id: account.instagramId, facebook_page_id: account.id, token: account.token },
  });
  await meta.webhookTo(`${service.url}/api/v1/webhooks/meta`, verifyToken);
  const untiring = { parallel: 32, retryMs: 200, tries: 1_000 };
  await meta.webhooks({ ...untiring, duplicate: 0.2, shuffle: true, delayMs: 300, style: 'escaped' });
}, 90_000);
afterAll(async () => {
  for (const { child } of workers) child.kill('SIGKILL');
  await service.stop();
  await meta.stop();
  await server.stop();
});

/** Each person's messages are numbered in the order in which they wrote them. Half of them write on Instagram. */
async function writeAll(): Promise<void> {
  const given = Array.from({ length: messages }, (_, index) => {
    const [person, number] = [index % people, Math.floor(index / people)];
    const pageId = person % 2 === 0 ? page.id : account.instagramId;
    return { pageId, from: `Person ${person}`, text: `${number} ${marker} é`, at: yesterday + number * 1_000 };
  });
  for (let from = 0; from < messages; from += 2_000)
    written.push(...(await meta.writeMany(given.slice(from, from + 2_000))));
}

function addWorker(): void {
  workers.push(startWorker(service, meta));
}

/** How many are kept; what is in the inbox and waits for nobody is found by the minute's scan, which is not waited for. */
async function kept(): Promise<number> {
  const [row] = await server.database.sql<{ count: number }>('SELECT count(*)::integer AS count FROM messages');
  return row?.count ?? 0;
}

async function untilKept(count: number): Promise<void> {
  for (const deadline = Date.now() + patienceMs; (await kept()) < count; await pause(200)) {
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${await kept()} are kept.`);
    await server.database.sql(`SELECT graphile_worker.add_job('messenger.find-events', '{}', job_key => 'find')`);
  }
}

/** Without a word, as a machine does it. */
function killAWorker(): void {
  workers.find(({ child }) => child.signalCode === null && child.exitCode === null)?.child.kill('SIGKILL');
  addWorker();
}

describe('Ten thousand messages', () => {
  it('are each kept once and in order, whatever falls over meanwhile', async () => {
    addWorker();
    addWorker();
    await writeAll();
    for (const [index, count] of [1_000, 2_500, 4_000, 5_500, 7_000].entries()) {
      await untilKept(count);
      if (index % 2 === 1) await server.crash();
      else killAWorker();
    }
    await meta.settled(patienceMs);
    await untilKept(messages);
    expect(workers.filter(({ child }) => child.signalCode === 'SIGKILL')).toHaveLength(3);
    const deliveries = await meta.deliveries();
    expect(deliveries.filter(({ status }) => status === 200).length).toBeGreaterThan(messages * 1.15);
    expect(deliveries.some(({ status }) => status !== 200)).toBe(true);
  }, 240_000);

  it('are the very ones that were written', async () => {
    const found = await server.database.sql<{ mid: string }>('SELECT platform_message_id AS mid FROM messages');
    expect(found.map(({ mid }) => mid).sort()).toEqual(written.map(({ mid }) => mid).sort());
    const states = await server.database.sql('SELECT state, count(*)::integer FROM webhook_events GROUP BY state');
    expect(states).toEqual([{ state: 'processed', count: messages }]);
  });

  it('stand in their conversation in the order in which they were written', async () => {
    const each = messages / people;
    for (const pageId of [page.id, account.instagramId]) {
      const conversations = await inbox.conversations(pageId);
      expect(conversations).toHaveLength(people / 2);
      const counts = conversations.map(({ unread_count, last_message_at }) => [unread_count, last_message_at]);
      expect(new Set(counts.map(String))).toEqual(new Set([String([each, new Date(yesterday + (each - 1) * 1_000)])]));
      const texts = new Map(conversations.map(({ id }) => [id, [] as (string | null)[]]));
      for (const { conversation_id, text } of await inbox.messages(pageId)) texts.get(conversation_id)?.push(text);
      const expected = Array.from({ length: each }, (_, number) => `${number} ${marker} é`);
      for (const said of texts.values()) expect(said).toEqual(expected);
    }
  }, 30_000);

  it('leave no text and no token behind, and no word of who wrote in any log', async () => {
    await expectNoTrace({
      database: server.database,
      processes: workers,
      folders: [service.config.dataDir],
      secrets: [...(await meta.tokens()), 'emulator-secret', marker],
      captions: [...new Set(written.map(({ participantId }) => participantId))],
    });
  }, 60_000);
});
