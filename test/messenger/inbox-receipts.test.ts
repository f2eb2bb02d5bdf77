import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, insertConversation, insertInstagram, insertMessage, metaId } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** Receipts of what we sent: they come late, twice, in any order, and only ever raise a status. */

const yesterday = Date.now() - 86_400_000;
const at = (minute: number) => new Date(yesterday + minute * 60_000);
const doctor = 'provider@northside.example';

let service: Service;
let webhook: Webhook;
let inbox: Inbox;
let pageId: string;
let personId: string;
let conversationId: string;

beforeAll(async () => {
  service = await startService({ variables: webhookVariables });
  webhook = webhookOf(service);
  inbox = inboxOf(service);
});
beforeEach(async () => {
  personId = metaId();
  const { pageId: id, ownerId } = await insertConnection(service, doctor);
  pageId = id;
  conversationId = await insertConversation(service.database, ownerId, { page_id: id, participant_id: personId });
});
afterAll(() => service.stop());

/** Something of ours, sent at that minute. */
const sent = (mid: string, minute: number, columns: object = {}) =>
  insertMessage(service, conversationId, {
    ...{ direction: 'out', sent_by: 'user', status: 'sent', platform_message_id: mid, platform_timestamp: at(minute) },
    ...columns,
  });

async function receive(...contents: object[]): Promise<void> {
  const items = contents.map((content, index) => fromPerson(pageId, personId, content, at(60 + index).getTime()));
  await webhook.deliver({ object: 'page', entry: [entryOf(pageId, ...items)] });
  await inbox.workOff();
}

const delivery = (minute: number, ...mids: string[]) => ({
  delivery: { ...(mids.length > 0 && { mids }), watermark: at(minute).getTime() },
});
const read = (minute: number) => ({ read: { watermark: at(minute).getTime() } });

async function statuses(): Promise<Record<string, string>> {
  const kept = await inbox.messages(pageId);
  return Object.fromEntries(kept.map((each) => [each.platform_message_id, each.status]));
}

describe('On Messenger', () => {
  it('all that was sent up to a moment is delivered, and then read', async () => {
    await sent('a', 1);
    await sent('b', 2);
    await sent('c', 3);
    await receive(delivery(2));
    expect(await statuses()).toEqual({ a: 'delivered', b: 'delivered', c: 'sent' });
    await receive(read(1));
    expect(await statuses()).toEqual({ a: 'read', b: 'delivered', c: 'sent' });
    await receive(delivery(3), read(3));
    expect(await statuses()).toEqual({ a: 'read', b: 'read', c: 'read' });
    await service.database.sql('DELETE FROM messages WHERE conversation_id = $1', [conversationId]);
  });

  it('no status goes back, in whatever order and however often receipts come', async () => {
    await sent('d', 1);
    await sent('e', 5);
    for (const receipts of [[read(1)], [delivery(1, 'd')], [delivery(1)], [read(1), delivery(1)]])
      await receive(...receipts);
    expect(await statuses()).toEqual({ d: 'read', e: 'sent' });
  });

  it('nothing that is not ours, not sent or given up is touched', async () => {
    await sent('f', 1, { direction: 'in', sent_by: null, status: 'delivered' });
    await sent('g', 1, { status: 'failed', error_code: 'meta-refused' });
    await insertMessage(service, conversationId, {
      ...{ direction: 'out', sent_by: 'user', status: 'pending', platform_message_id: null },
      platform_timestamp: at(1),
    });
    await receive(delivery(50), read(50));
    expect(await statuses()).toEqual({ f: 'delivered', g: 'failed', null: 'pending' });
  });

  it('nothing of another conversation is touched', async () => {
    await sent('h', 1);
    const other = fromPerson(pageId, metaId(), delivery(50, 'h'), at(60).getTime());
    await webhook.deliver({ object: 'page', entry: [entryOf(pageId, other)] });
    await inbox.workOff();
    expect(await statuses()).toEqual({ h: 'sent' });
    expect(await inbox.conversations(pageId)).toHaveLength(1);
  });

  it('a receipt that overtakes the news that a message was sent waits for it', async () => {
    const id = await sent('', 1, { status: 'pending', platform_message_id: null });
    await receive(delivery(2, 'i'));
    await service.database.sql(`UPDATE messages SET status = 'sent', platform_message_id = 'i' WHERE id = $1`, [id]);
    await inbox.hasten();
    await inbox.workOff();
    expect(await statuses()).toEqual({ i: 'delivered' });
    expect((await inbox.events(pageId)).map(({ state }) => state)).toEqual(['processed']);
  });

  it('a message counts from when Meta took it, which its echo tells, though its call took longer than its reader', async () => {
    await sent('quick', 5);
    const echo = {
      ...{ sender: { id: pageId }, recipient: { id: personId }, timestamp: at(1).getTime() },
      message: { mid: 'quick', text: 'At once', is_echo: true },
    };
    const seen = fromPerson(pageId, personId, read(2), at(2).getTime());
    await webhook.deliver({ object: 'page', entry: [entryOf(pageId, echo, seen)] });
    await inbox.workOff();
    expect(await statuses()).toEqual({ quick: 'read' });
    expect(await inbox.messages(pageId)).toMatchObject([{ platform_timestamp: at(1) }]);
  });

  it('a receipt of a time that is none changes nothing', async () => {
    await sent('j', 1);
    await receive({ delivery: { watermark: 'soon' } }, { read: {} }, { delivery: { mids: 'j' } });
    expect(await statuses()).toEqual({ j: 'sent' });
  });
});

describe('On Instagram', () => {
  it('whoever has read a message has read those before it', async () => {
    const account = await insertInstagram(service, doctor);
    conversationId = await insertConversation(service.database, account.doctorId, {
      ...{ channel: 'instagram', page_id: account.pageId, participant_id: personId },
    });
    pageId = account.pageId;
    for (const [minute, mid] of ['k', 'l', 'm'].entries()) await sent(mid, minute);
    const item = fromPerson(pageId, personId, { read: { mid: 'l' } }, at(60).getTime());
    await webhook.deliver({ object: 'instagram', entry: [entryOf(pageId, item)] });
    await inbox.workOff();
    expect(await statuses()).toEqual({ k: 'read', l: 'read', m: 'sent' });
  });
});
