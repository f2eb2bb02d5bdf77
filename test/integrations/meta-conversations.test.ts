import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { GraphClient } from '../../src/integrations/meta/graph-client.js';
import { MetaComments } from '../../src/integrations/meta/meta-comments.js';
import { MetaMessaging, type OutgoingMessage } from '../../src/integrations/meta/meta-messaging.js';
import { MetaPages } from '../../src/integrations/meta/meta-pages.js';
import { WebhookSignatures } from '../../src/integrations/meta/webhook-signatures.js';
import { type Meta, startMeta } from '../support/meta.js';
import { connect } from './odd-graph.js';

/** Messages and comments against Meta as its documentation has it. */

const app = { appId: 'emulator-app', appSecret: 'emulator-secret' };
const scopes = [
  ...['pages_show_list', 'pages_manage_metadata', 'pages_messaging', 'pages_read_engagement'],
  ...['instagram_basic', 'instagram_manage_messages', 'instagram_manage_comments'],
];
const hour = 3_600_000;

let meta: Meta;
let close: () => Promise<void>;
let messaging: MetaMessaging;
let comments: MetaComments;
let pages: MetaPages;
let personId: string;
let pageId: string;
let instagramId: string;
let token: string;

beforeAll(async () => {
  meta = await startMeta();
});
afterAll(() => meta.stop());
beforeEach(async () => {
  await meta.control('reset');
  const connected = connect(meta.url, { app, timeoutMs: 1_500 });
  close = () => connected.transport.close();
  const graph: GraphClient = connected.graph;
  [messaging, comments, pages] = [new MetaMessaging(graph), new MetaComments(graph), new MetaPages(graph)];
  personId = await meta.person('Ada Lovelace');
  const made = await meta.page({ personId, name: 'Northside', instagram: { username: 'north' } });
  [pageId, instagramId] = [made.id, made.instagramId ?? ''];
  token = await pageToken();
});
afterEach(() => close());

async function pageToken(granted = scopes): Promise<string> {
  const userToken = await meta.userToken(personId, { scopes: granted, pageIds: [pageId] });
  return (await pages.list(userToken))[0]?.accessToken ?? '';
}
const failing = (kind: string, more: object = {}) => expect.objectContaining({ name: 'MetaFailure', kind, ...more });
const placeOf = { messenger: () => pageId, instagram: () => instagramId };
const channels = ['messenger', 'instagram'] as const;

async function write(channel: (typeof channels)[number], at?: Date): Promise<string> {
  const given = { pageId: placeOf[channel](), from: 'Grace Hopper', text: 'Hello', deliver: false };
  return (await meta.write({ ...given, ...(at && { at: at.toISOString() }) })).participantId;
}
const to = (channel: (typeof channels)[number], id: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  ...{ pageId, channel, recipient: { id }, content: { text: 'Grüß Gott 🦷' } },
  ...more,
});

describe.each(channels)('On %s', (channel) => {
  it('who wrote is answered, and has a name', async () => {
    const id = await write(channel);
    const sent = await messaging.send(token, to(channel, id));
    expect(sent.recipientId).toBe(id);
    expect(await meta.sent(placeOf[channel]())).toMatchObject([{ mid: sent.messageId, text: 'Grüß Gott 🦷' }]);
    const { name, username } = await messaging.profile(token, id, channel);
    expect([name, username === null]).toEqual(['Grace Hopper', channel === 'messenger']);
  });

  it('a picture and a file are sent', async () => {
    const id = await write(channel);
    for (const type of ['image', 'file'] as const)
      await messaging.send(token, to(channel, id, { content: { attachment: { type, url: 'https://a.example/1' } } }));
    expect(await meta.sent(placeOf[channel]())).toHaveLength(2);
  });

  it('nobody is answered later than a day after they wrote, but by a person within seven', async () => {
    const id = await write(channel, new Date(Date.now() - 25 * hour));
    await expect(messaging.send(token, to(channel, id))).rejects.toEqual(failing('outside-window', { graphCode: 10 }));
    await messaging.send(token, to(channel, id, { humanAgent: true }));
    const other = { pageId: placeOf[channel](), from: 'Mary Shelley', text: 'Hello', deliver: false };
    const late = await meta.write({ ...other, at: new Date(Date.now() - 8 * 24 * hour).toISOString() });
    await expect(messaging.send(token, to(channel, late.participantId, { humanAgent: true }))).rejects.toEqual(
      failing('outside-window', { mayHaveHappened: false }),
    );
  });

  it('nobody is written to who did not write, or wants no messages', async () => {
    const nobody = failing('recipient-unavailable', { mayHaveHappened: false });
    await expect(messaging.send(token, to(channel, '4711'))).rejects.toEqual(nobody);
    const id = await write(channel);
    await meta.control('block', { pageId: placeOf[channel](), from: 'Grace Hopper', isBlocked: true });
    await expect(messaging.send(token, to(channel, id))).rejects.toEqual(nobody);
  });

  it('nothing is sent without the permission, or with a text that is too long', async () => {
    // What somebody has once granted, they have granted: so it is somebody else who has not.
    const other = await meta.person('Mary Shelley');
    const made = await meta.page({ personId: other, name: 'Southbank', instagram: { username: 'south' } });
    const userToken = await meta.userToken(other, {
      scopes: ['pages_show_list', 'instagram_basic'],
      pageIds: [made.id],
    });
    const without = (await pages.list(userToken))[0]?.accessToken ?? '';
    const place = channel === 'messenger' ? made.id : (made.instagramId ?? '');
    const written = await meta.write({ pageId: place, from: 'Grace Hopper', text: 'Hello', deliver: false });
    const toOther = to(channel, written.participantId, { pageId: made.id });
    await expect(messaging.send(without, toOther)).rejects.toEqual(failing('permission-missing'));
    const id = await write(channel);
    const long = { content: { text: 'ü'.repeat(channel === 'messenger' ? 2_001 : 501) } };
    await expect(messaging.send(token, to(channel, id, long))).rejects.toEqual(failing('refused'));
    await messaging.send(
      token,
      to(channel, id, { content: { text: 'ü'.repeat(channel === 'messenger' ? 2_000 : 500) } }),
    );
    expect(await meta.sent()).toHaveLength(1);
  });
});

describe('A comment', () => {
  it('is replied to below it, and what stands below it can be read', async () => {
    const { commentId } = await meta.comment({ instagramId, from: 'Grace Hopper', text: 'Price?', deliver: false });
    const { id } = await comments.reply(token, commentId, 'Please write to us');
    expect(await comments.replies(token, commentId)).toEqual([
      { id, text: 'Please write to us', username: 'north', createdAt: expect.any(Date) },
    ]);
    await expect(comments.reply(token, '178000', 'x')).rejects.toEqual(failing('not-found'));
  });

  it('is answered in private, once, within seven days', async () => {
    const given = { instagramId, from: 'Grace Hopper', text: 'Price?', deliver: false };
    const { commentId, participantId } = await meta.comment(given);
    const reply = to('instagram', '', { recipient: { commentId } });
    expect((await messaging.send(token, reply)).recipientId).toBe(participantId);
    await expect(messaging.send(token, reply)).rejects.toEqual(failing('refused', { graphSubcode: 2_534_025 }));
    // It opens no window: further messages need an answer first.
    await expect(messaging.send(token, to('instagram', participantId))).rejects.toEqual(
      failing('recipient-unavailable'),
    );
    await expect(messaging.profile(token, participantId, 'instagram')).rejects.toEqual(failing('permission-missing'));
    const old = await meta.comment({ ...given, at: Date.now() - 8 * 24 * hour });
    const late = messaging.send(token, to('instagram', '', { recipient: { commentId: old.commentId } }));
    await expect(late).rejects.toEqual(failing('refused'));
  });
});

describe('A page', () => {
  it('is unsubscribed in the name of the app, when no token of it is left', async () => {
    await pages.subscribe(token, pageId, ['messages']);
    expect(await pages.subscribedFields(token, pageId)).toEqual(['messages']);
    await pages.unsubscribeAsApp(pageId);
    expect(await pages.subscribedFields(token, pageId)).toEqual([]);
  });
});

describe('A delivery', () => {
  it.each(['compact', 'pretty', 'escaped'] as const)('is signed over its bytes: %s', async (style) => {
    const heard: { body: Buffer; signature: string | undefined }[] = [];
    const server = createServer((request, response) => {
      void buffer(request).then((body) => {
        heard.push({ body, signature: request.headers['x-hub-signature-256'] as string | undefined });
        response.end();
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as { port: number };
    await meta.deliver({ url: `http://127.0.0.1:${port}/`, payload: { text: 'Grüß Gott 🦷 </b>' }, style });
    await meta.deliver({ url: `http://127.0.0.1:${port}/`, payload: { text: 'x' }, style, spoil: 'bit' });
    const [good, bad] = heard.map(({ body, signature }) =>
      new WebhookSignatures([app.appSecret]).isValid(body, signature),
    );
    expect([good, bad]).toEqual([true, false]);
    server.close();
  });
});
