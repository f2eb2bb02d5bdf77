import { setTimeout as pause } from 'node:timers/promises';
import { Rotation } from '../../src/kernel/secrets/rotation.js';
import { inboxOf } from '../support/inbox.js';
import { insertConversation, insertMessage } from '../support/messenger.js';
import { type Meta, startMeta } from '../support/meta.js';
import { hearFrom, openPractice, type Practice, queued, standing, type Talk } from '../support/sending.js';
import { type Service, startService } from '../support/service.js';
import { entryOf, fromPerson } from '../support/webhooks.js';

/** The key of the vault is changed while people write and are answered: what was sealed under either is read. */

const key = (letter: string): string => Buffer.alloc(32, letter).toString('base64');
const before = `2025:${key('a')}`;
const each = 200;
const people = 20;

let meta: Meta;
let old: Service;
let service: Service;
let practice: Practice;

beforeAll(async () => {
  meta = await startMeta();
  old = await startService({ variables: { ...meta.variables, VAULT_KEYS: before } });
  const variables = { ...meta.variables, DATA_DIR: old.config.dataDir, VAULT_KEYS: `2026:${key('b')},${before}` };
  service = await startService({ withWorker: true, database: old.database, variables });
  practice = await openPractice(meta, old);
}, 60_000);
afterAll(async () => {
  await old.application.close();
  await service.stop();
  await meta.stop();
});

/** In deliveries of ten. */
async function write(to: Service, from: number): Promise<void> {
  const yesterday = Date.now() - 86_400_000;
  for (let first = from; first < from + each; first += 10) {
    const items = Array.from({ length: 10 }, (_, index) => {
      const [number, person] = [first + index, (first + index) % people];
      const message = { mid: `m_rotated_${number}`, text: `Number ${number}` };
      return fromPerson(practice.pageId, `9900${person}`, { message }, yesterday + number * 1_000);
    });
    const payload = { object: 'page', entry: [entryOf(practice.pageId, ...items)] };
    const { status } = await meta.deliver({ url: `${to.url}/api/v1/webhooks/meta`, payload });
    expect(status).toBe(200);
  }
}

const sealed = `
  SELECT text_sealed AS sealed FROM messages UNION ALL SELECT attachments_sealed FROM messages
  UNION ALL SELECT payload_sealed FROM webhook_events UNION ALL SELECT page_access_token_sealed FROM messenger_connections
  UNION ALL SELECT instagram_access_token_sealed FROM doctor_instagram`;

async function underOldKey(): Promise<number> {
  const rows = await service.database.sql<{ sealed: string | null }>(sealed);
  return rows.filter((row) => row.sealed?.startsWith('v1.2025.')).length;
}

it('Nothing is lost, said twice or left under the old key', async () => {
  const earlier = await insertConversation(old.database, practice.ownerId);
  for (let number = 0; number < each; number += 1) await insertMessage(old, earlier, { text: `Long ago ${number}` });
  await write(old, 0);
  expect(await underOldKey()).toBeGreaterThan(each);
  const talks: Talk[] = [];
  for (let number = 0; number < 10; number += 1)
    talks.push(await hearFrom(meta, service, practice, `Person ${number}`, { channel: 'messenger' }));
  let isWritten = false;
  const rotating = async () => {
    const rotation = service.application.get(Rotation);
    do await Promise.all([rotation.run(25), rotation.run(25)]);
    while (!isWritten);
  };
  const writing = async () => {
    // One process still has the old key alone, as while all are restarted one by one.
    await Promise.all([write(service, each), write(old, 2 * each)]);
    isWritten = true;
  };
  const answering = async () => {
    for (const talk of talks) await queued(Math.random() < 0.5 ? service : old, talk, `To ${talk.participantId}`);
  };
  await Promise.all([rotating(), writing(), answering()]);
  await service.database.sql(`SELECT graphile_worker.add_job('messenger.find-events', '{}', job_key => 'find')`);
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await pause(100)) {
    const open = `SELECT FROM messages WHERE status = 'pending' UNION ALL SELECT FROM webhook_events WHERE state <> 'processed'`;
    if ((await service.database.sql(open)).length === 0) break;
  }
  await service.application.get(Rotation).run();

  const messages = await inboxOf(service).messages(practice.pageId);
  const told = messages.filter(({ direction }) => direction === 'in').map(({ text }) => text);
  expect(told).toEqual(Array.from({ length: 3 * each }, (_, number) => `Number ${number}`));
  for (const talk of talks) expect(await standing(meta, talk)).toEqual([`To ${talk.participantId}`]);
  expect(await underOldKey()).toBe(0);
}, 60_000);
