import { ParticipantNames } from '../../src/modules/messenger/inbox/participant-names.js';
import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, insertConversation } from '../support/messenger.js';
import { type Meta, startMeta } from '../support/meta.js';
import { Practice } from '../support/meta-practice.js';
import { type Service, startService } from '../support/service.js';

/** Who writes is asked of Meta, when a conversation begins; a conversation is as good without a name. */

const verifyToken = 'the verify token of the test';
const yesterday = Date.now() - 86_400_000;

let meta: Meta;
let service: Service;
let inbox: Inbox;
let practice: Practice;
let names: ParticipantNames;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ variables: { ...meta.variables, META_WEBHOOK_VERIFY_TOKEN: verifyToken } });
  inbox = inboxOf(service);
  names = service.application.get(ParticipantNames, { strict: false });
  await meta.webhookTo(`${service.url}/api/v1/webhooks/meta`, verifyToken);
}, 30_000);
beforeEach(async () => {
  practice = await Practice.open(meta);
  await practice.subscribe('messages');
  await insertConnection(service, 'provider@northside.example', { page_id: practice.id, token: practice.token });
});
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

/** Whoever has written so far, delivered and worked off. */
async function write(from: string, at = yesterday): Promise<void> {
  await meta.write({ pageId: practice.id, from, text: 'Good morning', at });
  await meta.settled();
  await inbox.workOff();
}

const called = async () => (await inbox.conversations(practice.id)).map(({ participant_name }) => participant_name);
const jobs = () =>
  service.database.sql<{ run_at: Date }>(
    `SELECT run_at FROM graphile_worker.jobs WHERE task_identifier = 'messenger.name-participants'`,
  );

describe('Somebody who writes for the first time', () => {
  it('is called by the name that Meta tells, and asked for once', async () => {
    await write('Grace Hopper');
    expect(await called()).toEqual([null]);
    expect(await jobs()).toHaveLength(1);
    await names.ask();
    expect(await called()).toEqual(['Grace Hopper']);
    const asked = await meta.count('participant.profile');
    await write('Grace Hopper');
    await names.ask();
    expect(await meta.count('participant.profile')).toBe(asked);
  });

  it.each([
    ['Meta fails', () => meta.fault({ on: 'participant.profile', kind: 'refused' })],
    ['the token is dead', () => meta.control('tokens/revoke', { personId: practice.personId })],
  ])('is without a name where %s, and is asked for again a day later at the earliest', async (_, spoil) => {
    await write('Alan Turing');
    await spoil();
    await names.ask();
    expect(await called()).toEqual([null]);
    const asked = await meta.count('participant.profile');
    await write('Alan Turing');
    await names.ask();
    expect(await meta.count('participant.profile')).toBe(asked);
    await service.database.sql(`UPDATE conversations SET named_at = now() - interval '25 hours' WHERE page_id = $1`, [
      practice.id,
    ]);
    await practice.consent();
    await write('Alan Turing');
    const [conversation] = await inbox.conversations(practice.id);
    expect(conversation?.named_at).toBeNull();
  });

  it('waits while Meta has had enough of being asked, and so do all others', async () => {
    await write('Emmy Noether');
    await write('Mary Anning');
    await meta.fault({ on: 'participant.profile', kind: 'rate-limited' });
    const asked = await meta.count('participant.profile');
    await names.ask();
    expect(await meta.count('participant.profile')).toBe(asked + 1);
    const conversations = await inbox.conversations(practice.id);
    expect(conversations.map(({ named_at }) => named_at)).toEqual([null, null]);
    const [job] = await jobs();
    expect(job && job.run_at.getTime() - Date.now()).toBeGreaterThan(50_000);
  });

  it('does not wait for a page that has asked too often, and is not their own', async () => {
    await write('Rosalind Franklin');
    const busy = await Practice.open(meta);
    await busy.subscribe('messages');
    await insertConnection(service, 'staff@northside.example', { page_id: busy.id, token: busy.token });
    // More than are asked for at once, and all of them have written later.
    const people = Array.from({ length: 28 }, (_, index) => `Person ${index}`);
    for (const from of people) await meta.write({ pageId: busy.id, from, text: 'Good morning', at: yesterday });
    await meta.settled();
    await inbox.workOff();
    await meta.fault({ on: 'participant.profile', kind: 'rate-limited' });
    await names.ask();
    expect(await called()).toEqual(['Rosalind Franklin']);
    const waiting = await inbox.conversations(busy.id);
    expect(waiting.map(({ named_at }) => named_at)).toEqual(Array(28).fill(null));
    await service.database.sql('DELETE FROM conversations WHERE page_id = $1', [busy.id]);
  });

  it('is asked for again soon where Meta could not be reached, and nobody else meanwhile', async () => {
    await write('Lise Meitner');
    await write('Chien-Shiung Wu');
    await meta.fault({ on: 'participant.profile', kind: 'internal', times: 9 });
    const asked = await meta.count('participant.profile');
    await names.ask();
    expect((await meta.count('participant.profile')) - asked).toBeLessThanOrEqual(3);
    await meta.control('faults/clear');
    const conversations = await inbox.conversations(practice.id);
    expect(conversations.map(({ named_at }) => named_at)).toEqual([null, null]);
    await names.ask();
    expect((await called()).sort()).toEqual(['Chien-Shiung Wu', 'Lise Meitner']);
  });

  it('is not asked for where nobody is connected any more', async () => {
    const [user] = await service.database.sql<{ id: string }>(
      `SELECT id FROM auth.users WHERE email = 'staff@northside.example'`,
    );
    const id = await insertConversation(service.database, user?.id ?? '', { participant_name: null });
    await names.ask();
    const [row] = await service.database.sql('SELECT participant_name, named_at FROM conversations WHERE id = $1', [
      id,
    ]);
    expect(row).toEqual({ participant_name: null, named_at: expect.any(Date) });
  });
});
