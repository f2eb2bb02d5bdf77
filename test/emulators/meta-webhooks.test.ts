import { createHash } from 'node:crypto';
import { type Meta, startMeta } from '../support/meta.js';
import { Practice, refusal } from '../support/meta-practice.js';
import { verifyToken, WebhookApp } from '../support/webhook-app.js';

/** How the emulator tells of messages and comments, as Meta documents it. */

const allFields = 'messages,messaging_postbacks,message_deliveries,message_reads,message_echoes,message_reactions';

let meta: Meta;
let practice: Practice;
let app: WebhookApp;
beforeAll(async () => {
  meta = await startMeta();
});
afterAll(() => meta.stop());
beforeEach(async () => {
  await meta.control('reset');
  app = await WebhookApp.start();
  practice = await Practice.open(meta);
});
afterEach(() => app.stop());

async function listen(settings: Parameters<Meta['webhooks']>[0] = {}): Promise<void> {
  await practice.subscribe(allFields);
  await meta.webhookTo(app.url, verifyToken);
  await meta.webhooks(settings);
}

describe('A subscription', () => {
  it('takes the fields of its kind, and nothing at all with one of another', async () => {
    const fields = async (id: string) =>
      (await practice.graph.get(`${id}/subscribed_apps`, practice.token)).body.data[0]?.subscribed_fields ?? [];
    expect(await refusal(practice.subscribe('messages,comments'))).toEqual([100, undefined]);
    expect(await fields(practice.id)).toEqual([]);
    expect((await practice.subscribe('comments,messages', practice.instagramId)).body).toEqual({ success: true });
    expect(await fields(practice.instagramId)).toEqual(['comments', 'messages']);
    expect(await refusal(practice.subscribe('message_reads', practice.instagramId))).toEqual([100, undefined]);
    await meta.control('permissions/revoke', { personId: practice.personId, permission: 'pages_messaging' });
    expect(await refusal(practice.subscribe('feed,messages'))).toEqual([200, undefined]);
    expect(await refusal(practice.subscribe('feed'))).toBeUndefined();
  });

  it('is ended by the page’s token, and by the app itself without it', async () => {
    const fields = async () => (await practice.graph.get(`${practice.id}/subscribed_apps`, practice.token)).body.data;
    for (const by of [practice.token, 'emulator-app|emulator-secret']) {
      await practice.subscribe('messages');
      expect((await practice.graph.delete(`${practice.id}/subscribed_apps`, by)).body).toEqual({ success: true });
      expect(await fields()).toEqual([]);
    }
  });
});

describe('A callback', () => {
  it('is told of nothing until it has given the challenge back', async () => {
    await practice.subscribe(allFields);
    await expect(meta.webhookTo(app.url, 'wrong')).rejects.toThrow(/"status":403/);
    await practice.hear('Pat');
    await meta.webhookTo(app.url, verifyToken);
    await meta.settled();
    expect(app.received).toEqual([]);
    await practice.hear('Pat');
    await meta.settled();
    expect(app.entries.length).toBe(1);
  });

  it('is told of subscribed fields alone, signed over the bytes that came', async () => {
    await practice.subscribe('messaging_postbacks');
    await meta.webhookTo(app.url, verifyToken);
    await practice.hear('Pat');
    await meta.write({ pageId: practice.id, from: 'Pat', kind: 'postback', text: 'Book / now 🦷', payload: 'BOOK' });
    await meta.settled();
    const [{ body, signature } = { body: Buffer.alloc(0), signature: '' }, ...others] = app.received;
    expect(others).toEqual([]);
    expect(body.toString()).toContain('"title":"Book \\/ now \\ud83e\\uddb7"');
    expect(signature).toBe(`sha256=${practice.graph.signature(body.toString(), 'hex')}`);
    expect(await meta.deliveries()).toEqual([
      expect.objectContaining({
        ...{ status: 200, bytes: body.length, sha256: createHash('sha256').update(body).digest('hex'), attempt: 1 },
      }),
    ]);
  });

  it('is told again what it did not answer with 200', async () => {
    await listen({ retryMs: 10 });
    app.answers = [500, 503, 302];
    await practice.hear('Pat');
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
      pageId: practice.id,
      from: 'Pat',
      text: 'Hello',
      at: 1_700_000_000_000,
    });
    expect(await refusal(practice.reply(participantId))).toEqual([10, 2018278]);
    await practice.hear('Pat');
    const { message_id } = (await practice.send({ id: participantId }, { text: 'Hi', metadata: 'ours' })).body;
    await meta.settled();
    expect(app.entries[0]).toEqual({
      ...{ id: practice.id, time: 1_700_000_000_000 },
      messaging: [
        {
          ...{ sender: { id: participantId }, recipient: { id: practice.id }, timestamp: 1_700_000_000_000 },
          message: { mid, text: 'Hello' },
        },
      ],
    });
    expect(app.events.find(({ message }) => message?.is_echo)).toMatchObject({
      sender: { id: practice.id },
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
    const igsid = await practice.hear('Pat', practice.instagramId);
    const { message_id } = (await practice.send({ id: igsid }, { text: 'Hi', metadata: 'ours' })).body;
    const { commentId } = await meta.comment({
      instagramId: practice.instagramId,
      from: 'Kim',
      text: 'How do I book?',
    });
    const answer = (await practice.graph.post(`${commentId}/replies`, practice.token, { message: 'Write to us' })).body
      .id;
    await meta.settled();
    expect(new Set(app.entries.map(({ id }) => id))).toEqual(new Set([practice.instagramId]));
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
        from: { id: practice.instagramId, username: 'practice' },
      }),
    );
  });

  it('knows reactions, what was taken back, answers to a message, standby and the page’s name for an account', async () => {
    await practice.subscribe(`${allFields},standby`);
    await meta.webhookTo(app.url, verifyToken);
    const to = { pageId: practice.instagramId, from: 'Pat' };
    const { mid } = await meta.write({ ...to, text: 'Hello', entryId: practice.id });
    await meta.write({ ...to, kind: 'reaction', mid, emoji: '❤' });
    await meta.write({ ...to, kind: 'reaction', mid });
    await meta.write({ ...to, kind: 'deletion', mid });
    await meta.write({ ...to, text: 'Well', replyTo: mid });
    await meta.write({ pageId: practice.id, from: 'Pat', text: 'For another', standby: true });
    await meta.settled();
    expect(app.entries.filter(({ id }) => id === practice.id).length).toBe(2);
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
    expect((await meta.messages(practice.instagramId)).map(({ isDeleted }) => isDeleted)).toEqual([true, false]);
  });

  it('comes in batches, twice and in any order, the same again with the same seed', async () => {
    await listen();
    const told = async () => {
      await meta.webhooks({ batch: 10, duplicate: 0.2, shuffle: true, delayMs: 30, parallel: 1, seed: 7 });
      app.received.splice(0);
      const written = Array.from({ length: 50 }, (_, index) => ({
        pageId: practice.id,
        from: 'Pat',
        text: String(index),
      }));
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
      expect(signature).toBe(`sha256=${practice.graph.signature(body.toString(), 'hex')}`);
    app.received.splice(0);
    await meta.deliver({ url: app.url, rawBody: '{ not JSON', spoil: 'bit' });
    await meta.deliver({ url: app.url, rawBase64: Buffer.from([0xff, 0xfe]).toString('base64'), spoil: 'missing' });
    await meta.deliver({ url: app.url, rawBody: '{}', spoil: 'other-secret' });
    const [bit, missing, foreign] = app.received;
    const right = practice.graph.signature('{ not JSON', 'hex');
    expect(BigInt(`0x${bit?.signature?.slice(7)}`) ^ BigInt(`0x${right}`)).toBe(1n);
    expect([missing?.signature, missing?.body.toString('hex')]).toEqual([undefined, 'fffe']);
    expect(foreign?.signature).not.toBe(`sha256=${practice.graph.signature('{}', 'hex')}`);
  });
});
