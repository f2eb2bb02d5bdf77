import { demoAddress } from '../../src/demo/demo.js';
import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, insertConversation, insertInstagram, metaId } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/**
 * Traps that older systems fell into and that no other file is about. The others: unsigned deliveries (webhook-signature),
 * verify tokens (webhook-verification), pages that are taken over (page-claims), states, choices, subscriptions and tokens
 * (connect-pages, connect-instagram), the only doctor there is (inbox-routing), echoes (inbox-answers, echoes), dead letters
 * (webhook-admin, inbox-retries), forged deletion requests (auth/facebook-callbacks), dying tokens (health, health-job).
 */

const owner = demoAddress('provider', 'northside');

let service: Service;
let webhook: Webhook;
let inbox: Inbox;

beforeAll(async () => {
  service = await startService({ variables: webhookVariables });
  webhook = webhookOf(service);
  inbox = inboxOf(service);
});
afterAll(() => service.stop());

describe('UNIQUE (owner_id, is_active)', () => {
  it('would allow one page of before: there are as many as there were, and one that is active', async () => {
    const { ownerId } = await insertConnection(service, owner);
    for (let index = 0; index < 3; index += 1) await insertConnection(service, owner);
    const rows = await service.database.sql<{ is_active: boolean }>(
      'SELECT is_active FROM messenger_connections WHERE owner_id = $1 ORDER BY is_active',
      [ownerId],
    );
    expect(rows.map(({ is_active: isActive }) => isActive)).toEqual([false, false, false, true]);
  });
});

describe('Idempotency that is looked up by two columns and unique in one', () => {
  it('would lose the message of one channel that bears the id of one of the other', async () => {
    const mid = `m_${metaId()}`;
    const { pageId } = await insertConnection(service, owner);
    const account = await insertInstagram(service, demoAddress('staff', 'northside'));
    for (let times = 0; times < 2; times += 1) {
      for (const [object, id] of [
        ['page', pageId],
        ['instagram', account.pageId],
      ] as const) {
        const item = fromPerson(id, metaId(), { message: { mid, text: `To the ${object}` } });
        await webhook.deliver({ object, entry: [entryOf(id, item)] });
      }
      await inbox.workOff();
    }
    expect((await inbox.messages(pageId)).map(({ text }) => text)).toEqual(['To the page']);
    expect((await inbox.messages(account.pageId)).map(({ text }) => text)).toEqual(['To the instagram']);
  });

  it('would answer one person with what another has sent under the same key', async () => {
    const send = async (email: string) => {
      const { ownerId, pageId } = await insertConnection(service, email);
      const id = await insertConversation(service.database, ownerId, { page_id: pageId });
      const token = await service.tokenOf(email);
      const headers = { 'idempotency-key': 'the same' };
      const path = `/messenger/conversations/${id}/messages`;
      const both = [1, 2].map(() => service.call('POST', path, { token, headers, body: { text: 'Good morning' } }));
      const answered = (await Promise.all(both)).filter(({ status }) => status === 202);
      expect(new Set(answered.map(({ body }) => body.id)).size).toBe(1);
      return { id, answer: answered[0]?.body };
    };
    for (const { id, answer } of [await send(owner), await send(demoAddress('owner', 'northside'))])
      expect(answer).toMatchObject({ conversationId: id, status: 'pending' });
    const rows = await service.database.sql(`SELECT FROM messages WHERE direction = 'out'`);
    expect(rows).toHaveLength(2);
  });
});
