import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type Meta, startMeta } from '../support/meta.js';
import { GraphClientOfTests } from '../support/meta-graph.js';

/** How the emulator takes messages and comments and tells of them, as Meta documents it. */

const ownScopes = [
  ...['pages_show_list', 'pages_manage_metadata', 'pages_messaging', 'pages_read_engagement', 'business_management'],
  ...['instagram_basic', 'instagram_manage_messages', 'instagram_manage_comments'],
];
const verifyToken = 'verify-me';

interface Received {
  body: Buffer;
  signature: string | undefined;
}

let meta: Meta;
let graph: GraphClientOfTests;
let app: App;
let personId: string;
let page: { id: string; instagramId: string };
let token: string;

/** The app's callback, as an app writes it that knows its verify token and answers what it is told to. */
class App {
  readonly received: Received[] = [];
  answers: number[] = [];
  private constructor(private readonly server: Server) {}

  static async start(): Promise<App> {
    const server = createServer();
    const app = new App(server);
    server.on('request', async (request, response) => {
      const asked = new URL(request.url ?? '/', 'http://app').searchParams;
      if (request.method === 'GET') {
        const isOurs = asked.get('hub.mode') === 'subscribe' && asked.get('hub.verify_token') === verifyToken;
        return response.writeHead(isOurs ? 200 : 403).end(isOurs ? asked.get('hub.challenge') : 'no');
      }
      const signature = request.headers['x-hub-signature-256'] as string | undefined;
      app.received.push({ body: await buffer(request), signature });
      return response.writeHead(app.answers.shift() ?? 200).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return app;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/webhooks/meta`;
  }

  /** What was told, entry by entry. */
  // biome-ignore lint/suspicious/noExplicitAny: a delivery is looked into freely, as an app would
  get entries(): any[] {
    return this.received.flatMap(({ body }) => JSON.parse(body.toString()).entry);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  get events(): any[] {
    return this.entries.flatMap(({ messaging = [], standby = [], changes = [] }) => [
      ...messaging,
      ...standby,
      ...changes,
    ]);
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

beforeAll(async () => {
  meta = await startMeta();
});
afterAll(() => meta.stop());
beforeEach(async () => {
  await meta.control('reset');
  graph = new GraphClientOfTests(meta);
  app = await App.start();
  personId = await meta.person('Ada Lovelace');
  const made = await meta.page({ personId, name: 'Practice', instagram: { username: 'practice' } });
  page = { id: made.id, instagramId: made.instagramId ?? '' };
  token = await tokenWith(ownScopes);
});
afterEach(() => app.stop());

async function tokenWith(scopes: string[]): Promise<string> {
  const user = await meta.userToken(personId, { scopes, pageIds: [page.id] });
  return graph.pageToken(user, page.id);
}

type Answer = Promise<{ status: number; body: { error?: { code: number; error_subcode?: number } } }>;
const refusal = async (answer: Answer) => {
  const { error } = (await answer).body;
  return error && [error.code, error.error_subcode];
};
function send(recipient: object, message: object, more: Record<string, string> = {}, by = token) {
  const params = { recipient: JSON.stringify(recipient), message: JSON.stringify(message), ...more };
  return graph.post(`${page.id}/messages`, by, params);
}
const reply = (id: string, text = 'Good morning') => send({ id }, { text });
const subscribe = (subscribed_fields: string, id = page.id) =>
  graph.post(`${id}/subscribed_apps`, token, { subscribed_fields });
const allFields = 'messages,messaging_postbacks,message_deliveries,message_reads,message_echoes,message_reactions';
async function listen(settings: Parameters<Meta['webhooks']>[0] = {}): Promise<void> {
  await subscribe(allFields);
  await meta.webhookTo(app.url, verifyToken);
  await meta.webhooks(settings);
}
const writeAs = async (from: string, pageId = page.id) =>
  (await meta.write({ pageId, from, text: 'Hello' })).participantId;

describe('A message', () => {
  it('goes to a person who has written to this page, and to nobody else', async () => {
    const psid = await writeAs('Pat Example');
    expect(await writeAs('Pat Example')).toBe(psid);
    const { status, body } = await reply(psid);
    expect([status, body]).toEqual([200, { recipient_id: psid, message_id: expect.stringMatching(/^m_/) }]);
    expect(await refusal(reply('24599999999999999'))).toEqual([100, 2018001]);
    const other = await meta.page({ personId, name: 'Second practice' });
    const elsewhere = await writeAs('Pat Example', other.id);
    expect(elsewhere).not.toBe(psid);
    expect(await refusal(reply(elsewhere))).toEqual([100, 2018001]);
    expect(await meta.sent(page.id)).toEqual([
      expect.objectContaining({ mid: body.message_id, text: 'Good morning', participantName: 'Pat Example' }),
    ]);
    expect((await meta.messages(page.id)).map(({ direction }) => direction)).toEqual(['in', 'in', 'out']);
  });

  it('goes on Instagram from the page, and has an id of another kind', async () => {
    const igsid = await writeAs('Pat Example', page.instagramId);
    const { body } = await reply(igsid);
    expect(body).toEqual({ recipient_id: igsid, message_id: expect.stringMatching(/^aWdf/) });
    expect((await meta.sent(page.instagramId)).length).toBe(1);
  });

  it('may be sent for a day after the person wrote, and by a human for seven', async () => {
    const asHuman = { messaging_type: 'MESSAGE_TAG', tag: 'HUMAN_AGENT' };
    for (const [place, subcode] of [
      [page.id, 2018278],
      [page.instagramId, 2534022],
    ] as const) {
      await meta.control('clock', { offsetSeconds: 0 });
      const id = await writeAs('Pat Example', place);
      await meta.control('clock', { offsetSeconds: 86_390 });
      expect(await refusal(reply(id))).toBeUndefined();
      await meta.control('clock', { offsetSeconds: 86_410 });
      expect(await refusal(reply(id))).toEqual([10, subcode]);
      expect(await refusal(send({ id }, { text: 'Late' }, asHuman))).toBeUndefined();
      await meta.control('clock', { offsetSeconds: 7 * 86_400 + 10 });
      expect(await refusal(send({ id }, { text: 'Late' }, asHuman))).toEqual([10, subcode]);
      expect(await writeAs('Pat Example', place)).toBe(id);
      expect(await refusal(reply(id))).toBeUndefined();
    }
    expect(await refusal(send({ id: '1' }, { text: 'x' }, { ...asHuman, tag: 'ACCOUNT_UPDATE' }))).toEqual([
      100,
      undefined,
    ]);
  });

  it('has text or a file, of which neither is too long nor in doubt', async () => {
    const [psid, igsid] = [await writeAs('Pat'), await writeAs('Pat', page.instagramId)];
    const image = { attachment: { type: 'image', payload: { url: 'https://media.example/a.jpg' } } };
    expect(await refusal(send({ id: psid }, image))).toBeUndefined();
    expect(await refusal(send({ id: psid }, { ...image, text: 'both' }))).toEqual([100, undefined]);
    expect(await refusal(send({ id: psid }, {}))).toEqual([100, 2018034]);
    const local = { attachment: { type: 'file', payload: { url: 'file:///etc/passwd' } } };
    expect(await refusal(send({ id: psid }, local))).toEqual([100, 2018008]);
    expect(await refusal(reply(psid, '🦷'.repeat(2000)))).toBeUndefined();
    expect(await refusal(reply(psid, 'x'.repeat(2001)))).toEqual([100, undefined]);
    expect(await refusal(reply(igsid, 'é'.repeat(500)))).toBeUndefined();
    expect(await refusal(reply(igsid, 'é'.repeat(501)))).toEqual([100, undefined]);
  });

  it('needs the page’s own token, the channel’s permission and a person who takes it', async () => {
    const [psid, igsid] = [await writeAs('Pat'), await writeAs('Pat', page.instagramId)];
    const text = { text: 'Hello' };
    const user = await meta.userToken(personId, { scopes: ownScopes, pageIds: [page.id] });
    expect(await refusal(send({ id: psid }, text, {}, user))).toEqual([190, 2069032]);
    await meta.control('permissions/revoke', { personId, permission: 'pages_messaging' });
    expect(await refusal(reply(psid))).toEqual([200, undefined]);
    expect(await refusal(reply(igsid))).toBeUndefined();
    await meta.control('permissions/revoke', { personId, permission: 'instagram_manage_messages' });
    expect(await refusal(reply(igsid))).toEqual([200, undefined]);
    token = await tokenWith(ownScopes);
    await meta.control('block', { pageId: page.id, from: 'Pat' });
    expect(await refusal(reply(psid))).toEqual([551, 1545041]);
  });

  it('whose answer is lost stands there all the same', async () => {
    const psid = await writeAs('Pat');
    await meta.fault({ on: 'page.message', kind: 'cut-after', objectId: page.id });
    await expect(reply(psid)).rejects.toThrow();
    await meta.fault({ on: 'page.message', kind: 'cut-before' });
    await expect(reply(psid)).rejects.toThrow();
    expect((await meta.sent(page.id)).length).toBe(1);
  });
});

describe('A person who writes', () => {
  it('has a name, and on Instagram another one; who has only commented has not agreed to show it', async () => {
    const [psid, igsid] = [await writeAs('Pat Example'), await writeAs('Pat Example', page.instagramId)];
    const profile = (id: string, fields: string) => graph.get(id, token, { fields });
    expect((await profile(psid, 'name,first_name')).body).toEqual({ id: psid, name: 'Pat Example', first_name: 'Pat' });
    expect(await refusal(profile(psid, 'username'))).toEqual([100, undefined]);
    expect((await profile(igsid, 'name,username')).body).toMatchObject({ username: 'pat.example' });
    const { participantId } = await meta.comment({ instagramId: page.instagramId, from: 'Kim', text: 'Nice' });
    expect(await refusal(profile(participantId, 'name'))).toEqual([230, undefined]);
    await meta.fault({ on: 'participant.profile', kind: 'internal' });
    expect((await profile(psid, 'name')).status).toBe(500);
    const stranger = await graph.login({ personId: await meta.person('Bob Stranger') });
    expect(await refusal(graph.get(psid, stranger))).toEqual([100, 33]);
  });
});

describe('A comment', () => {
  const comment = () => meta.comment({ instagramId: page.instagramId, from: 'Kim', text: 'How do I book?' });

  it('is answered for all to see, as often as one likes', async () => {
    const { commentId, mediaId } = await comment();
    const { body } = await graph.post(`${commentId}/replies`, token, { message: 'Write to us' });
    const read = await graph.get(commentId, token, { fields: 'text,username,media,replies' });
    expect(read.body).toMatchObject({ text: 'How do I book?', username: 'kim', media: { id: mediaId } });
    expect(read.body.replies.data).toEqual([{ id: body.id, text: 'Write to us' }]);
    expect((await graph.get(`${commentId}/replies`, token)).body.data).toEqual([
      expect.objectContaining({ id: body.id, text: 'Write to us' }),
    ]);
    await meta.fault({ on: 'comment.reply', kind: 'rate-limited' });
    expect(await refusal(graph.post(`${commentId}/replies`, token, { message: 'Again' }))).toEqual([4, undefined]);
    const withoutComments = ownScopes.filter((scope) => scope !== 'instagram_manage_comments');
    await meta.control('permissions/revoke', { personId });
    const narrow = await tokenWith(withoutComments);
    expect(await refusal(graph.post(`${commentId}/replies`, narrow, { message: 'No' }))).toEqual([200, undefined]);
  });

  it('is answered privately once, within seven days, which opens no window', async () => {
    const { commentId, participantId } = await comment();
    const privately = (comment_id: string) => send({ comment_id }, { text: 'Here is how' });
    expect((await privately(commentId)).body).toEqual({
      recipient_id: participantId,
      message_id: expect.stringMatching(/^aWdf/),
    });
    expect(await refusal(privately(commentId))).toEqual([100, 2534025]);
    expect(await refusal(privately('18059999999999999'))).toEqual([100, 2534025]);
    expect(await refusal(reply(participantId))).toEqual([100, 2534014]);
    const old = await comment();
    await meta.control('clock', { offsetSeconds: 7 * 86_400 + 10 });
    expect(await refusal(privately(old.commentId))).toEqual([100, 2534025]);
    expect((await meta.sent(page.instagramId)).map((message) => message.commentId)).toEqual([commentId]);
  });
});

describe('A subscription', () => {
  it('takes the fields of its kind, and nothing at all with one of another', async () => {
    const fields = async (id: string) =>
      (await graph.get(`${id}/subscribed_apps`, token)).body.data[0]?.subscribed_fields ?? [];
    expect(await refusal(subscribe('messages,comments'))).toEqual([100, undefined]);
    expect(await fields(page.id)).toEqual([]);
    expect((await subscribe('comments,messages', page.instagramId)).body).toEqual({ success: true });
    expect(await fields(page.instagramId)).toEqual(['comments', 'messages']);
    expect(await refusal(subscribe('message_reads', page.instagramId))).toEqual([100, undefined]);
    await meta.control('permissions/revoke', { personId, permission: 'pages_messaging' });
    expect(await refusal(subscribe('feed,messages'))).toEqual([200, undefined]);
    expect(await refusal(subscribe('feed'))).toBeUndefined();
  });

  it('is ended by the page’s token, and by the app itself without it', async () => {
    const fields = async () => (await graph.get(`${page.id}/subscribed_apps`, token)).body.data;
    for (const by of [token, 'emulator-app|emulator-secret']) {
      await subscribe('messages');
      expect((await graph.delete(`${page.id}/subscribed_apps`, by)).body).toEqual({ success: true });
      expect(await fields()).toEqual([]);
    }
  });
});

describe('A callback', () => {
  it('is told of nothing until it has given the challenge back', async () => {
    await subscribe(allFields);
    await expect(meta.webhookTo(app.url, 'wrong')).rejects.toThrow(/"status":403/);
    await writeAs('Pat');
    await meta.webhookTo(app.url, verifyToken);
    await meta.settled();
    expect(app.received).toEqual([]);
    await writeAs('Pat');
    await meta.settled();
    expect(app.entries.length).toBe(1);
  });

  it('is told of subscribed fields alone, signed over the bytes that came', async () => {
    await subscribe('messaging_postbacks');
    await meta.webhookTo(app.url, verifyToken);
    await writeAs('Pat');
    await meta.write({ pageId: page.id, from: 'Pat', kind: 'postback', text: 'Book / now 🦷', payload: 'BOOK' });
    await meta.settled();
    const [{ body, signature } = { body: Buffer.alloc(0), signature: '' }, ...others] = app.received;
    expect(others).toEqual([]);
    expect(body.toString()).toContain('"title":"Book \\/ now \\ud83e\\uddb7"');
    expect(signature).toBe(`sha256=${graph.signature(body.toString(), 'hex')}`);
    expect(await meta.deliveries()).toEqual([
      expect.objectContaining({
        ...{ status: 200, bytes: body.length, sha256: createHash('sha256').update(body).digest('hex'), attempt: 1 },
      }),
    ]);
  });

  it('is told again what it did not answer with 200', async () => {
    await listen({ retryMs: 10 });
    app.answers = [500, 503, 302];
    await writeAs('Pat');
    await meta.settled();
    expect((await meta.deliveries()).map(({ status, attempt }) => [status, attempt])).toEqual([
      ...[500, 503, 302, 200].map((status, index) => [status, index + 1]),
    ]);
    expect(new Set(app.received.map(({ body }) => body.toString())).size).toBe(1);
  });
});

describe('What is told', () => {
  it('of Messenger: the message, the echo with its metadata, that it arrived and was read', async () => {
    await listen({ delivered: true, read: true });
    const { participantId, mid } = await meta.write({
      pageId: page.id,
      from: 'Pat',
      text: 'Hello',
      at: 1_700_000_000_000,
    });
    expect(await refusal(reply(participantId))).toEqual([10, 2018278]);
    await writeAs('Pat');
    const { message_id } = (await send({ id: participantId }, { text: 'Hi', metadata: 'ours' })).body;
    await meta.settled();
    expect(app.entries[0]).toEqual({
      ...{ id: page.id, time: 1_700_000_000_000 },
      messaging: [
        {
          ...{ sender: { id: participantId }, recipient: { id: page.id }, timestamp: 1_700_000_000_000 },
          message: { mid, text: 'Hello' },
        },
      ],
    });
    expect(app.events.find(({ message }) => message?.is_echo)).toMatchObject({
      sender: { id: page.id },
      recipient: { id: participantId },
      message: { mid: message_id, text: 'Hi', is_echo: true, app_id: 'emulator-app', metadata: 'ours' },
    });
    const receipts = app.events.filter(({ delivery, read }) => delivery ?? read);
    expect(receipts).toContainEqual(
      expect.objectContaining({ delivery: { mids: [message_id], watermark: expect.any(Number) } }),
    );
    expect(receipts).toContainEqual(expect.objectContaining({ read: { watermark: expect.any(Number) } }));
  });

  it('of Instagram: echoes as messages and without a name, what was read by its id, comments and our own answers', async () => {
    await listen({ read: true, delivered: true });
    const igsid = await writeAs('Pat', page.instagramId);
    const { message_id } = (await send({ id: igsid }, { text: 'Hi', metadata: 'ours' })).body;
    const { commentId } = await meta.comment({ instagramId: page.instagramId, from: 'Kim', text: 'How do I book?' });
    const answer = (await graph.post(`${commentId}/replies`, token, { message: 'Write to us' })).body.id;
    await meta.settled();
    expect(new Set(app.entries.map(({ id }) => id))).toEqual(new Set([page.instagramId]));
    expect(app.events.find(({ message }) => message?.is_echo).message).toEqual({
      ...{ mid: message_id, text: 'Hi', is_echo: true },
    });
    expect(app.events.filter(({ delivery, read }) => delivery ?? read).map(({ read }) => read)).toEqual([
      { mid: message_id },
    ]);
    const comments = app.events.filter(({ field }) => field === 'comments').map(({ value }) => value);
    expect(comments).toContainEqual(expect.objectContaining({ id: commentId, text: 'How do I book?' }));
    expect(comments).toContainEqual(
      expect.objectContaining({
        id: answer,
        parent_id: commentId,
        from: { id: page.instagramId, username: 'practice' },
      }),
    );
  });

  it('knows reactions, what was taken back, answers to a message, standby and the page’s name for an account', async () => {
    await subscribe(`${allFields},standby`);
    await meta.webhookTo(app.url, verifyToken);
    const to = { pageId: page.instagramId, from: 'Pat' };
    const { mid } = await meta.write({ ...to, text: 'Hello', entryId: page.id });
    await meta.write({ ...to, kind: 'reaction', mid, emoji: '❤' });
    await meta.write({ ...to, kind: 'reaction', mid });
    await meta.write({ ...to, kind: 'deletion', mid });
    await meta.write({ ...to, text: 'Well', replyTo: mid });
    await meta.write({ pageId: page.id, from: 'Pat', text: 'For another', standby: true });
    await meta.settled();
    expect(app.entries.filter(({ id }) => id === page.id).length).toBe(2);
    expect(app.events.map(({ reaction }) => reaction).filter(Boolean)).toEqual(
      expect.arrayContaining([
        { mid, action: 'react', reaction: 'other', emoji: '❤' },
        { mid, action: 'unreact' },
      ]),
    );
    const messages = app.events.map(({ message }) => message).filter(Boolean);
    expect(messages).toContainEqual({ mid, is_deleted: true });
    expect(messages).toContainEqual(expect.objectContaining({ text: 'Well', reply_to: { mid } }));
    expect(app.entries.find(({ standby }) => standby)).toMatchObject({
      standby: [{ message: { text: 'For another' } }],
    });
    expect((await meta.messages(page.instagramId)).map(({ isDeleted }) => isDeleted)).toEqual([true, false]);
  });

  it('comes in batches, twice and in any order, the same again with the same seed', async () => {
    await listen();
    const told = async () => {
      await meta.webhooks({ batch: 10, duplicate: 0.2, shuffle: true, delayMs: 30, parallel: 1, seed: 7 });
      app.received.splice(0);
      const written = Array.from({ length: 50 }, (_, index) => ({ pageId: page.id, from: 'Pat', text: String(index) }));
      await meta.writeMany(written);
      await meta.settled();
      return app.events.map(({ message }) => message.text as string);
    };
    const first = await told();
    expect(app.received.every(({ body }) => JSON.parse(body.toString()).entry.length <= 10)).toBe(true);
    expect([first.length > 50, new Set(first).size]).toEqual([true, 50]);
    expect(first).not.toEqual([...first].sort((one, other) => Number(one) - Number(other)));
    expect(await told()).toEqual(first);
  });
});

describe('A delivery by hand', () => {
  it('is exactly what was given, and its signature right or wrong by one bit', async () => {
    const payload = { object: 'page', entry: [{ text: 'äöå 🦷 a/b' }] };
    for (const style of ['compact', 'pretty', 'escaped'] as const) await meta.deliver({ url: app.url, payload, style });
    expect(app.received.map(({ body }) => JSON.parse(body.toString()))).toEqual(Array(3).fill(payload));
    expect(app.received[2]?.body.toString()).toBe(
      '{"object":"page","entry":[{"text":"\\u00e4\\u00f6\\u00e5 \\ud83e\\uddb7 a\\/b"}]}',
    );
    for (const { body, signature } of app.received)
      expect(signature).toBe(`sha256=${graph.signature(body.toString(), 'hex')}`);
    app.received.splice(0);
    await meta.deliver({ url: app.url, rawBody: '{ not JSON', spoil: 'bit' });
    await meta.deliver({ url: app.url, rawBase64: Buffer.from([0xff, 0xfe]).toString('base64'), spoil: 'missing' });
    await meta.deliver({ url: app.url, rawBody: '{}', spoil: 'other-secret' });
    const [bit, missing, foreign] = app.received;
    const right = graph.signature('{ not JSON', 'hex');
    expect(BigInt(`0x${bit?.signature?.slice(7)}`) ^ BigInt(`0x${right}`)).toBe(1n);
    expect([missing?.signature, missing?.body.toString('hex')]).toEqual([undefined, 'fffe']);
    expect(foreign?.signature).not.toBe(`sha256=${graph.signature('{}', 'hex')}`);
  });
});
