import { type Inbox, inboxOf } from '../support/inbox.js';
import { insertConnection, metaId } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';
import { entryOf, fromPerson, type Webhook, webhookOf, webhookVariables } from '../support/webhooks.js';

/** What people write is kept as they wrote it, once. It is a day old, so that nothing answers by itself. */

const yesterday = Date.now() - 86_400_000;

let service: Service;
let webhook: Webhook;
let inbox: Inbox;
/** Of each test its own. */
let pageId: string;
let personId: string;

beforeAll(async () => {
  service = await startService({ variables: webhookVariables });
  webhook = webhookOf(service);
  inbox = inboxOf(service);
});
beforeEach(async () => {
  ({ pageId } = await insertConnection(service, 'provider@northside.example'));
  personId = metaId();
});
afterAll(() => service.stop());

/** What this person did, each a minute after the one before, delivered together and worked off. */
async function receive(...contents: object[]): Promise<void> {
  await deliver(contents.map((content, minute) => by(personId, content, minute)));
}

async function deliver(items: object[], field = 'messaging'): Promise<void> {
  const { status } = await webhook.deliver({
    object: 'page',
    entry: [{ ...entryOf(pageId), messaging: undefined, [field]: items }],
  });
  expect(status).toBe(200);
  await inbox.workOff();
}

const at = (minute: number) => new Date(yesterday + minute * 60_000);
const by = (person: string, content: object, minute = 0) => fromPerson(pageId, person, content, at(minute).getTime());
const message = (mid: string, text: string) => ({ message: { mid, text } });
const states = async () => (await inbox.events(pageId)).map(({ state }) => state);

describe('A message', () => {
  it('begins a conversation, unread and open, and is kept sealed', async () => {
    await receive(message('m_first', 'Grüße 😀 à demain'));
    const [conversation, ...others] = await inbox.conversations(pageId);
    expect(others).toEqual([]);
    expect(conversation).toMatchObject({
      ...{ channel: 'messenger', participant_id: personId, status: 'open', unread_count: 1 },
      ...{ last_message_at: at(0), last_customer_message_at: at(0) },
    });
    const [kept] = await inbox.messages(pageId);
    expect(kept).toMatchObject({
      ...{ direction: 'in', kind: 'message', status: 'delivered', platform_message_id: 'm_first' },
      ...{ text: 'Grüße 😀 à demain', attachments: [], platform_timestamp: at(0) },
    });
    const [row] = await service.database.sql('SELECT text_sealed FROM messages WHERE id = $1', [kept?.id]);
    expect(row?.text_sealed).toMatch(/^v1\./);
  });

  it('leaves nothing of what it says in the inbox', async () => {
    await receive(message('m_gone', 'Gone from the inbox'));
    expect(await inbox.events(pageId)).toEqual([
      { state: 'processed', attempts: 0, error_code: null, payload_sealed: null, waits: false },
    ]);
  });

  it('is the next one of a conversation that there is', async () => {
    await receive(message('m_one', 'One'), message('m_two', 'Two'));
    await receive(message('m_three', 'Three'));
    expect(await inbox.conversations(pageId)).toMatchObject([{ unread_count: 3, last_message_at: at(1) }]);
    expect((await inbox.messages(pageId)).map(({ text }) => text).sort()).toEqual(['One', 'Three', 'Two']);
  });

  it.each(['closed', 'snoozed'])('opens a conversation that was %s', async (status) => {
    await receive(message(`m_before_${status}`, 'Before'));
    await service.database.sql('UPDATE conversations SET status = $2 WHERE page_id = $1', [pageId, status]);
    await receive(message(`m_after_${status}`, 'After'));
    expect(await inbox.conversations(pageId)).toMatchObject([{ status: 'open' }]);
  });

  it('is kept once, however often and however spelt it comes', async () => {
    await receive(message('m_twice', 'Once'));
    await deliver([by(personId, { message: { mid: 'm_twice', text: 'Once', nlp: {} } })]);
    await deliver([by(personId, message('m_twice', 'Once'))], 'standby');
    // As if the first delivery were forgotten.
    await service.database.sql('DELETE FROM webhook_events WHERE page_id = $1', [pageId]);
    await receive(message('m_twice', 'Once'));
    expect(await inbox.messages(pageId)).toHaveLength(1);
    expect(await inbox.conversations(pageId)).toMatchObject([{ unread_count: 1 }]);
  });

  it('is kept with what hangs on it, however little Meta tells of that', async () => {
    const image = { type: 'image', payload: { url: 'https://cdn.example/1.jpg', sticker_id: 1 } };
    const link = { type: 'fallback', title: 'A page', url: 'https://example.com/' };
    await receive(
      { message: { mid: 'm_image', attachments: [image, link, { type: 'template', payload: null }, 'odd'] } },
      { message: { mid: 'm_story', text: 'Nice', reply_to: { story: { url: 'https://cdn.example/s', id: '1' } } } },
      { message: { mid: 'm_untold', is_unsupported: true } },
      { message: { mid: 'm_quick', text: 'Yes', quick_reply: { payload: 'YES' }, reply_to: { mid: 'm_image' } } },
      { message: { mid: 'm_odd', text: 7, attachments: {} } },
    );
    expect((await inbox.messages(pageId)).map(({ text, attachments }) => ({ text, attachments }))).toEqual([
      {
        text: null,
        attachments: [
          { type: 'image', url: 'https://cdn.example/1.jpg' },
          { type: 'fallback', url: 'https://example.com/' },
          { type: 'template', url: null },
          { type: 'unknown', url: null },
        ],
      },
      { text: 'Nice', attachments: [{ type: 'story_reply', url: 'https://cdn.example/s' }] },
      { text: null, attachments: [{ type: 'unsupported', url: null }] },
      { text: 'Yes', attachments: [] },
      { text: null, attachments: [] },
    ]);
  });

  it('to another app of the page belongs to the conversation too', async () => {
    await deliver([by(personId, message('m_standby', 'To somebody else'))], 'standby');
    expect(await inbox.messages(pageId)).toMatchObject([{ text: 'To somebody else', direction: 'in' }]);
  });

  it('whose time is missing or impossible has the time at which it came', async () => {
    const item = by(personId, message('m_timeless', 'When?'));
    await deliver([
      { ...item, timestamp: undefined },
      { ...by(personId, message('m_late', 'Late')), timestamp: 9e15 },
    ]);
    for (const { platform_timestamp } of await inbox.messages(pageId))
      expect(Math.abs(platform_timestamp.getTime() - Date.now())).toBeLessThan(60_000);
  });
});

describe('A button that was pressed', () => {
  it('is a message that says what stands on it, with an id of Meta or without', async () => {
    await receive({ postback: { mid: 'm_button', title: 'Get started', payload: 'START' } });
    await receive({ postback: { title: 'Opening hours', payload: 'HOURS' } });
    expect(await inbox.messages(pageId)).toMatchObject([
      { kind: 'postback', text: 'Get started', platform_message_id: 'm_button', direction: 'in' },
      { kind: 'postback', text: 'Opening hours', platform_message_id: null },
    ]);
    expect(await inbox.conversations(pageId)).toMatchObject([{ unread_count: 2 }]);
  });
});

describe('A message that was taken back', () => {
  const deletion = (mid: string) => ({ message: { mid, is_deleted: true } });

  it('stands there without what it said', async () => {
    const attachments = [{ type: 'image', payload: { url: 'https://cdn.example/2.jpg' } }];
    await receive({ message: { mid: 'm_regretted', text: 'I regret it', attachments } });
    await receive({ reaction: { mid: 'm_regretted', action: 'react', emoji: '😀' } });
    await deliver([by(personId, deletion('m_regretted'), 3)]);
    expect(await inbox.messages(pageId)).toMatchObject([
      { text: null, attachments: [], reaction: null, deleted_at: at(3), platform_timestamp: at(0) },
    ]);
    const sealed = await service.database.sql(
      `SELECT FROM messages WHERE platform_message_id = 'm_regretted'
          AND (text_sealed IS NOT NULL OR attachments_sealed IS NOT NULL)`,
    );
    expect(sealed).toEqual([]);
  });

  it.each([
    ['in the same delivery', true],
    ['long before the message itself', false],
  ])('is not read by anybody when that is heard %s', async (_, together) => {
    const mid = `m_early_${personId}`;
    const told = [by(personId, deletion(mid), 1), by(personId, message(mid, 'Too late'), 0)];
    if (together) await deliver(told);
    else for (const item of told) await deliver([item]);
    const [kept, ...others] = await inbox.messages(pageId);
    expect(others).toEqual([]);
    expect(kept).toMatchObject({ text: null, deleted_at: at(1) });
    expect(await inbox.conversations(pageId)).toMatchObject([{ unread_count: 0, status: 'open' }]);
  });
});

describe('A reaction', () => {
  const react = (mid: string, emoji: string) => ({ reaction: { mid, action: 'react', reaction: 'other', emoji } });
  const unreact = (mid: string) => ({ reaction: { mid, action: 'unreact' } });
  const reaction = async () => (await inbox.messages(pageId))[0]?.reaction;

  it('stands at its message until it is another, or none', async () => {
    await receive(message('m_liked', 'Do you like it?'), react('m_liked', '❤'));
    expect(await reaction()).toBe('❤');
    await deliver([by(personId, react('m_liked', '😮'), 5)]);
    expect(await reaction()).toBe('😮');
    await deliver([by(personId, unreact('m_liked'), 6)]);
    expect(await reaction()).toBeNull();
  });

  it('that comes too late changes nothing', async () => {
    await receive(message('m_late_like', 'Do you like it?'));
    await deliver([by(personId, unreact('m_late_like'), 9), by(personId, react('m_late_like', '❤'), 8)]);
    expect(await reaction()).toBeNull();
    await deliver([by(personId, react('m_late_like', '😡'), 7)]);
    expect(await reaction()).toBeNull();
  });

  it('waits for its message, and keeps nobody else waiting', async () => {
    await receive(react('m_awaited', '❤'));
    expect(await inbox.events(pageId)).toMatchObject([{ state: 'received', attempts: 1, waits: true }]);
    await inbox.delay();
    await deliver([by(personId, message('m_awaited', 'Here it is'), -1)]);
    expect(await reaction()).toBeNull();
    await inbox.hasten();
    await inbox.workOff();
    expect(await reaction()).toBe('❤');
    expect(await states()).toEqual(['processed', 'processed']);
  });

  it('to something that never comes is let go in the end', async () => {
    await receive(react('m_never', '❤'));
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await inbox.hasten();
      await inbox.workOff();
    }
    expect(await inbox.events(pageId)).toMatchObject([
      { state: 'processed', attempts: 5, error_code: 'message-unknown', payload_sealed: null },
    ]);
    expect(await inbox.conversations(pageId)).toEqual([]);
  });
});

describe('What nobody here understands', () => {
  it.each([
    ['a kind that Meta has added', { shiny_new: { mid: 'm' } }],
    ['a referral', { referral: { ref: 'x', source: 'SHORTLINK' } }],
    ['a message without an id', { message: { text: 'Nameless' } }],
    ['an id that no index takes', { message: { mid: 'm'.repeat(5_000), text: 'Long' } }],
    ['a message that is none', { message: 'Text' }],
  ])('is done with, and not asked about again: %s', async (_, content) => {
    await receive(content);
    expect(await inbox.events(pageId)).toMatchObject([{ state: 'processed', attempts: 0, error_code: null }]);
    expect(await inbox.conversations(pageId)).toEqual([]);
  });

  it('is counted', async () => {
    await receive({ account_linking: {} });
    const { text } = await service.call('GET', '//metrics');
    expect(text).toMatch(/^polyclinic_webhook_events_processed_total\{kind="unknown",outcome="processed"\} [1-9]/m);
  });

  it('spoils nothing beside it', async () => {
    const odd = [{ ...by(personId, message('m_x', 'x')), sender: undefined }, by(pageId, message('m_self', 'I'))];
    await deliver([...odd, by(personId, message('m_sound', 'Sound'))]);
    expect(await inbox.messages(pageId)).toMatchObject([{ text: 'Sound' }]);
    expect(await states()).toEqual(['processed', 'processed', 'processed']);
  });
});
