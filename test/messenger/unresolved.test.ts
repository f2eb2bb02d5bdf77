import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { InboxSweep } from '../../src/modules/messenger/inbox/inbox-sweep.js';
import { UnresolvedEvents } from '../../src/modules/messenger/inbox/unresolved-events.js';
import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, insertConversation, insertInstagram, metaId, userOf } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** What comes for a page that nobody has connected waits a week for somebody who does. */

const yesterday = Date.now() - 86_400_000;
const doctor = 'provider@northside.example';

let service: Service;
let webhook: Webhook;
let inbox: Inbox;
let pageId: string;

beforeAll(async () => {
  service = await startService({ variables: webhookVariables, withWorker: true });
  webhook = webhookOf(service);
  inbox = inboxOf(service);
});
beforeEach(() => {
  pageId = metaId();
});
afterAll(() => service.stop());

async function receive(text: string, { object = 'page', entryId = pageId, person = metaId() } = {}): Promise<void> {
  const item = fromPerson(entryId, person, { message: { mid: `m_${metaId()}`, text } }, yesterday);
  await webhook.deliver({ object, entry: [entryOf(entryId, item)] });
}

const texts = async () => (await inbox.messages(pageId)).map(({ text }) => text);
const states = async () => (await inbox.events(pageId)).map(({ state }) => state);

/** As a module does that connects: the news is in the transaction of the connection. */
async function tell(ownerId: string, pageIds: string[], breaksOff = false): Promise<void> {
  const unresolved = service.application.get(UnresolvedEvents, { strict: false });
  const connecting = service.application
    .get(Transactions, { strict: false })
    .runAs({ user: ownerId, reason: 'connect Messenger' }, async () => {
      await unresolved.pageConnected(pageIds);
      if (breaksOff) throw new Error('The connection is not made after all.');
    });
  if (breaksOff) await expect(connecting).rejects.toThrow('after all');
  else await connecting;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await isSo()); await pause(50))
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${isSo}.`);
}

describe('An event of a page that nobody has connected', () => {
  it('is processed by itself once the page is connected', async () => {
    await receive('Is anybody there?');
    await receive('Hello?');
    await until(async () => (await states()).join() === 'unresolved,unresolved');
    const { ownerId } = await insertConnection(service, doctor, { page_id: pageId });
    await tell(ownerId, [pageId]);
    await until(async () => (await states()).join() === 'processed,processed');
    expect((await texts()).sort()).toEqual(['Hello?', 'Is anybody there?']);
  });

  it('is processed once the account is connected that Meta names by its page', async () => {
    await receive('For the account', { object: 'instagram' });
    await until(async () => (await states())[0] === 'unresolved');
    const account = await insertInstagram(service, 'staff@northside.example', { facebook_page_id: pageId });
    await tell(account.doctorId, [account.pageId, account.facebookPageId]);
    await until(async () => (await states())[0] === 'processed');
    expect(await inbox.messages(account.pageId)).toMatchObject([{ text: 'For the account' }]);
  });

  it('stays where it is when the connection is not made, or another page is connected', async () => {
    await receive('Still nobody');
    await until(async () => (await states())[0] === 'unresolved');
    const { ownerId } = await insertConnection(service, 'staff@northside.example');
    await tell(ownerId, [pageId], true);
    await tell(ownerId, [metaId()]);
    const jobs = () =>
      service.database.sql(
        `SELECT FROM graphile_worker.jobs
          WHERE task_identifier LIKE 'messenger.%' AND task_identifier <> 'messenger.name-participants'`,
      );
    await until(async () => (await jobs()).length === 0);
    expect(await states()).toEqual(['unresolved']);
  });

  it('that was being put aside while the page was connected is found all the same', async () => {
    // A batch that asked whose page it is before the connection was there, and has not ended.
    await receive('Just now');
    await until(async () => (await states())[0] === 'unresolved');
    const [event] = await service.database.sql<{ id: string; lane: number }>(
      'SELECT id, shard AS lane FROM webhook_events WHERE page_id = $1',
      [pageId],
    );
    const batch = new pg.Client(service.database.adminUrl);
    await batch.connect();
    try {
      await service.database.sql(`UPDATE webhook_events SET state = 'failed' WHERE id = $1`, [event?.id]);
      await batch.query('BEGIN');
      await batch.query(`SELECT pg_advisory_xact_lock(hashtextextended('messenger inbox ' || $1::integer, 0))`, [
        event?.lane,
      ]);
      await batch.query(`UPDATE webhook_events SET state = 'unresolved' WHERE id = $1`, [event?.id]);
      const { ownerId } = await insertConnection(service, doctor, { page_id: pageId });
      await tell(ownerId, [pageId]);
      await pause(500);
      await batch.query('COMMIT');
    } finally {
      await batch.end();
    }
    await until(async () => (await states())[0] === 'processed');
    expect(await texts()).toEqual(['Just now']);
  });
});

describe('Conversations of a page that is connected for another clinic', () => {
  const clinics = () =>
    service.database
      .sql<{ id: string }>('SELECT id FROM clinics ORDER BY id LIMIT 2')
      .then((rows) => rows.map(({ id }) => id));

  it.each(['messenger', 'instagram'])('go along, and are nobody’s of the clinic of before: on %s', async (channel) => {
    const [before, after] = await clinics();
    const colleague = await userOf(service.database, 'staff@northside.example');
    const isPage = channel === 'messenger';
    const ownerId = isPage
      ? (await insertConnection(service, doctor, { page_id: pageId, clinic_id: after })).ownerId
      : (await insertInstagram(service, doctor, { instagram_page_id: pageId, clinic_id: after })).doctorId;
    const place = { channel, page_id: pageId, clinic_id: before };
    for (const each of [{ assigned_to: colleague }, { assigned_to: ownerId }, { clinic_id: null }])
      await insertConversation(service.database, ownerId, { ...place, ...each });
    const elsewhere = await insertConversation(service.database, ownerId, { ...place, page_id: metaId() });
    await tell(ownerId, [pageId]);
    const found = () =>
      inbox.conversations(pageId) as Promise<{ clinic_id: string | null; assigned_to?: string | null }[]>;
    await until(async () => (await found()).every(({ clinic_id }) => clinic_id === after));
    expect((await found()).map(({ assigned_to }) => assigned_to)).toEqual([null, ownerId, null]);
    const [other] = await service.database.sql('SELECT clinic_id FROM conversations WHERE id = $1', [elsewhere]);
    expect(other).toEqual({ clinic_id: before });
    await service.database.sql('DELETE FROM doctor_instagram');
  });
});

describe('The daily sweep', () => {
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);
  const sweep = () => service.application.get(InboxSweep, { strict: false }).sweep();

  /** As one that came so many days ago. */
  async function insertEvent(state: string, days: number): Promise<void> {
    const id = uuidv7();
    const hex = daysAgo(days).getTime().toString(16).padStart(12, '0');
    const isEnded = state === 'processed' || state === 'discarded';
    await service.database.sql(
      `INSERT INTO webhook_events (id, object, page_id, lane, event_key, payload_sealed, received_at, state, processed_at)
       VALUES ($1, 'page', $2, 0, $3, $4, $5, $6, $7)`,
      [
        ...[`${hex.slice(0, 8)}-${hex.slice(8)}${id.slice(13)}`, pageId, `key ${id}`, isEnded ? null : 'sealed'],
        ...[daysAgo(days), state, isEnded ? daysAgo(days) : null],
      ],
    );
  }

  it('gives up after a week what belongs to nobody, and what it said with it', async () => {
    await insertEvent('unresolved', 8);
    await insertEvent('unresolved', 6);
    await sweep();
    expect(await inbox.events(pageId)).toMatchObject([
      { state: 'discarded', payload_sealed: null },
      { state: 'unresolved', payload_sealed: 'sealed' },
    ]);
  });

  it('forgets after a week what is done with, and after a month what was given up', async () => {
    for (const [state, days] of [
      ['processed', 8],
      ['discarded', 15],
      ['failed', 31],
      ['processed', 6],
      ['discarded', 6],
      ['failed', 29],
    ] as const)
      await insertEvent(state, days);
    await sweep();
    expect((await states()).sort()).toEqual(['discarded', 'failed', 'processed']);
  });

  it('leaves what waits to be processed, however old it is', async () => {
    await service.database.sql(
      `INSERT INTO webhook_events (id, object, page_id, lane, event_key, payload_sealed, received_at, next_attempt_at)
       VALUES (gen_random_uuid(), 'page', $1, 0, $1, 'sealed', now() - interval '90 days', now() + interval '1 day')`,
      [pageId],
    );
    await sweep();
    expect(await states()).toEqual(['received']);
  });
});
