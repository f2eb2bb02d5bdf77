import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, metaId } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** What is answered by itself: what a customer writes now, once; and nothing else, least of all ourselves. */

const minute = 60_000;

let service: Service;
let webhook: Webhook;
let inbox: Inbox;
let pageId: string;
let personId: string;

beforeAll(async () => {
  service = await startService({ variables: webhookVariables });
  webhook = webhookOf(service);
  inbox = inboxOf(service);
  await service.database.sql(
    `INSERT INTO doctor_settings (doctor_id, welcome_message)
     SELECT id, 'Welcome, we answer soon.' FROM auth.users WHERE email = 'provider@northside.example'
     ON CONFLICT (doctor_id) DO UPDATE SET welcome_message = EXCLUDED.welcome_message, away_message = NULL,
       instagram_receptionist_paused = false`,
  );
});
beforeEach(async () => {
  personId = metaId();
  ({ pageId } = await insertConnection(service, 'provider@northside.example'));
});
afterAll(() => service.stop());

async function receive(item: object, field = 'messaging'): Promise<void> {
  await webhook.deliver({ object: 'page', entry: [{ id: pageId, time: Date.now(), [field]: [item] }] });
  await inbox.workOff();
}

const says = (content: object, ageMs = 0) => fromPerson(pageId, personId, content, Date.now() - ageMs);
const message = (mid: string) => ({ message: { mid: `${mid}_${pageId}`, text: 'Hello' } });
const answers = async () => (await inbox.messages(pageId)).filter(({ status }) => status === 'pending');

describe('A customer who writes', () => {
  it('is answered once, however many messages come in a batch or after it', async () => {
    const items = [1, 2, 3].map((number) => says(message(`m_many_${number}`)));
    await webhook.deliver({ object: 'page', entry: [entryOf(pageId, ...items)] });
    await inbox.workOff();
    await receive(says(message('m_more')));
    expect(await answers()).toMatchObject([{ direction: 'out', text: 'Welcome, we answer soon.' }]);
  });

  it('is answered when they press a button', async () => {
    await receive(says({ postback: { mid: `m_start_${pageId}`, title: 'Get started', payload: 'START' } }));
    expect(await answers()).toHaveLength(1);
  });
});

describe('Nothing is answered', () => {
  it('of what we wrote ourselves, whoever wrote it where', async () => {
    const echo = { message: { mid: `m_echo_${pageId}`, text: 'From the inbox of Meta', is_echo: true } };
    await receive({ ...says(echo), sender: { id: pageId }, recipient: { id: personId } });
    expect(await inbox.messages(pageId)).toMatchObject([{ direction: 'out', text: 'From the inbox of Meta' }]);
    expect(await answers()).toEqual([]);
  });

  it('of what came more than an hour ago', async () => {
    await receive(says(message('m_old'), 61 * minute));
    expect(await inbox.messages(pageId)).toHaveLength(1);
    expect(await answers()).toEqual([]);
  });

  it('of what another app of the page has in hand', async () => {
    await receive(says(message('m_standby')), 'standby');
    expect(await inbox.messages(pageId)).toHaveLength(1);
    expect(await answers()).toEqual([]);
  });

  it('of a message that came before', async () => {
    await receive(says(message('m_again'), 61 * minute));
    await service.database.sql('DELETE FROM webhook_events WHERE page_id = $1', [pageId]);
    await receive(says(message('m_again')));
    expect(await answers()).toEqual([]);
  });

  it.each([
    ['a deletion', { message: { mid: 'm_none', is_deleted: true } }],
    ['a reaction', { reaction: { mid: 'm_none', action: 'react', emoji: '❤' } }],
    ['a receipt', { read: { watermark: Date.now() } }],
    ['something unknown', { optin: { ref: 'x' } }],
  ])('of %s', async (_, content) => {
    await receive(says(content));
    expect(await answers()).toEqual([]);
  });
});
