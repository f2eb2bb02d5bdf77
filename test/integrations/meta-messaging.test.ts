import type { GraphTransport } from '../../src/integrations/meta/graph-transport.js';
import { MetaComments } from '../../src/integrations/meta/meta-comments.js';
import { lengthOfText, MetaMessaging, type OutgoingMessage } from '../../src/integrations/meta/meta-messaging.js';
import { MetaPages } from '../../src/integrations/meta/meta-pages.js';
import {
  appId,
  appSecret,
  connect,
  hangUp,
  json,
  type OddGraph,
  refusal,
  silence,
  startOddGraph,
} from './odd-graph.js';

/** What messages and comments become on the wire, and what the client makes of a Meta that is not well. */

let odd: OddGraph;
let messaging: MetaMessaging;
let comments: MetaComments;
let pages: MetaPages;
let transport: GraphTransport;
beforeAll(async () => {
  odd = await startOddGraph();
});
afterAll(() => odd.stop());
beforeEach(() => {
  const connected = connect(odd.url);
  transport = connected.transport;
  messaging = new MetaMessaging(connected.graph);
  comments = new MetaComments(connected.graph);
  pages = new MetaPages(connected.graph);
});
afterEach(() => transport.close());

const token = 'EAAB-of-the-page';
const toAda: OutgoingMessage = {
  ...{ pageId: '100', channel: 'messenger', recipient: { id: '7' }, content: { text: 'Grüß Gott & bis morgen 🦷' } },
};
const sent = json({ recipient_id: '7', message_id: 'm_1' });
const failing = (kind: string, more: object = {}) => expect.objectContaining({ name: 'MetaFailure', kind, ...more });

/** What was sent, with what Meta reads as JSON parsed. */
function lastSent(): object {
  const { method, path, form = {} } = odd.heard.at(-1) ?? {};
  const { recipient = 'null', message = 'null', appsecret_proof: _, ...rest } = form;
  return { method, path, recipient: JSON.parse(recipient), message: JSON.parse(message), ...rest };
}

describe('A message', () => {
  const posted = { method: 'POST', path: '/v25.0/100/messages', messaging_type: 'RESPONSE' };

  it('goes to who wrote, in answer to it', async () => {
    odd.answer(sent);
    expect(await messaging.send(token, toAda)).toEqual({ messageId: 'm_1', recipientId: '7' });
    expect(lastSent()).toEqual({ ...posted, recipient: { id: '7' }, message: { text: 'Grüß Gott & bis morgen 🦷' } });
    expect(odd.heard[0]?.authorization).toBe(`Bearer ${token}`);
  });

  it('goes to an Instagram account through its page', async () => {
    odd.answer(sent);
    await messaging.send(token, { ...toAda, channel: 'instagram' });
    expect(lastSent()).toMatchObject(posted);
  });

  it('carries a picture or a file instead of text', async () => {
    odd.answer(sent);
    for (const type of ['image', 'file'] as const) {
      await messaging.send(token, { ...toAda, content: { attachment: { type, url: 'https://a.example/1' } } });
      const payload = { url: 'https://a.example/1', is_reusable: false };
      expect(lastSent()).toEqual({ ...posted, recipient: { id: '7' }, message: { attachment: { type, payload } } });
    }
  });

  it('answers a comment in private', async () => {
    odd.answer(json({ message_id: 'm_2' }));
    const reply = await messaging.send(token, { ...toAda, channel: 'instagram', recipient: { commentId: '99' } });
    expect(reply).toEqual({ messageId: 'm_2', recipientId: null });
    expect(lastSent()).toMatchObject({ ...posted, recipient: { comment_id: '99' } });
  });

  it('says that a person answers, where it must', async () => {
    odd.answer(sent);
    await messaging.send(token, { ...toAda, humanAgent: true });
    expect(lastSent()).toMatchObject({ messaging_type: 'MESSAGE_TAG', tag: 'HUMAN_AGENT' });
  });

  it('carries what its echo gives back', async () => {
    odd.answer(sent);
    await messaging.send(token, { ...toAda, metadata: 'of ours' });
    expect(lastSent()).toMatchObject({ message: { text: expect.any(String), metadata: 'of ours' } });
  });

  it('is sent once, whatever becomes of it', async () => {
    const answers = [hangUp, silence, json({}, 200), refusal({ code: 2 }, 500), refusal({ code: 1200 }, 503)];
    for (const answer of answers) {
      odd.answer(answer, sent);
      await expect(messaging.send(token, toAda)).rejects.toEqual(failing('unavailable', { mayHaveHappened: true }));
      expect(odd.heard).toHaveLength(1);
    }
  });

  it('is refused for certain', async () => {
    odd.answer(refusal({ code: 10, error_subcode: 2018278 }, 403));
    await expect(messaging.send(token, toAda)).rejects.toEqual(failing('outside-window', { mayHaveHappened: false }));
    odd.answer(refusal({ code: 551, error_subcode: 1545041 }));
    await expect(messaging.send(token, toAda)).rejects.toEqual(
      failing('recipient-unavailable', { mayHaveHappened: false }),
    );
  });

  it('does not reach another edge', async () => {
    odd.answer(sent);
    await expect(messaging.send(token, { ...toAda, pageId: '100/feed?x=' })).rejects.toEqual(failing('refused'));
    expect(odd.heard).toEqual([]);
  });

  it('is not held up by a limit on what is published', async () => {
    const business = JSON.stringify({ 100: [{ type: 'pages', call_count: 100, estimated_time_to_regain_access: 9 }] });
    odd.answer(refusal({ code: 32 }, 400, { 'x-business-use-case-usage': business }), sent);
    await expect(pages.publishFeed(token, '100', { message: 'x' })).rejects.toEqual(failing('rate-limited'));
    await messaging.send(token, toAda);
    await expect(pages.publishFeed(token, '100', { message: 'x' })).rejects.toEqual(failing('rate-limited'));
    expect(odd.heard).toHaveLength(2);
  });
});

describe('A text', () => {
  it('is as long as its channel counts it', () => {
    expect(lengthOfText('messenger', 'ü🦷a')).toBe(4);
    expect(lengthOfText('instagram', 'ü🦷a')).toBe(7);
  });
});

describe('Somebody who wrote', () => {
  it('has a name, and on Instagram a user name', async () => {
    odd.answer(json({ name: 'Ada', username: 'ada', id: '7' }));
    expect(await messaging.profile(token, '7', 'instagram')).toEqual({ name: 'Ada', username: 'ada' });
    expect(odd.heard[0]).toMatchObject({ method: 'GET', path: '/v25.0/7', query: { fields: 'name,username' } });
    odd.answer(json({ name: 'Ada Lovelace', id: '7' }));
    expect(await messaging.profile(token, '7', 'messenger')).toEqual({ name: 'Ada Lovelace', username: null });
    expect(odd.heard[0]).toMatchObject({ query: { fields: 'name' } });
  });

  it('may have none', async () => {
    for (const answer of [{ id: '7' }, { name: null, username: null }, { name: '' }]) {
      odd.answer(json(answer));
      expect(await messaging.profile(token, '7', 'instagram')).toEqual({ name: null, username: null });
    }
  });

  it('is asked for again when no answer comes', async () => {
    odd.answer(hangUp, json({ name: 'Ada' }));
    expect(await messaging.profile(token, '7', 'messenger')).toMatchObject({ name: 'Ada' });
  });
});

describe('A comment', () => {
  it('is answered below it, once', async () => {
    odd.answer(json({ id: '178' }));
    expect(await comments.reply(token, '99', 'Gern, schreiben Sie uns!')).toEqual({ id: '178' });
    expect(odd.heard[0]).toMatchObject({
      ...{ method: 'POST', path: '/v25.0/99/replies', form: { message: 'Gern, schreiben Sie uns!' } },
    });
    odd.answer(hangUp, json({ id: '178' }));
    await expect(comments.reply(token, '99', 'x')).rejects.toEqual(failing('unavailable', { mayHaveHappened: true }));
    expect(odd.heard).toHaveLength(1);
  });

  it('shows what stands below it', async () => {
    const timestamp = '2026-11-21T14:00:00+0000';
    odd.answer(json({ data: [{ id: '1', text: 'Gern!', username: 'north', timestamp }, { id: '2' }] }));
    expect(await comments.replies(token, '99')).toEqual([
      { id: '1', text: 'Gern!', username: 'north', createdAt: new Date('2026-11-21T14:00:00Z') },
      { id: '2', text: null, username: null, createdAt: null },
    ]);
  });
});

describe('A page that is let go', () => {
  it('is unsubscribed in the name of the app', async () => {
    odd.answer(json({ success: true }));
    await pages.unsubscribeAsApp('100');
    expect(odd.heard[0]).toMatchObject({
      ...{ method: 'DELETE', path: '/v25.0/100/subscribed_apps', authorization: `Bearer ${appId}|${appSecret}` },
    });
    odd.answer(refusal({ code: 210 }, 403));
    await expect(pages.unsubscribeAsApp('100')).rejects.toEqual(failing('permission-missing'));
  });
});
