import { type Meta, startMeta } from '../support/meta.js';
import { Practice, refusal } from '../support/meta-practice.js';

/** How the emulator takes messages and comments, as Meta documents it. */

let meta: Meta;
let practice: Practice;
beforeAll(async () => {
  meta = await startMeta();
});
afterAll(() => meta.stop());
beforeEach(async () => {
  await meta.control('reset');
  practice = await Practice.open(meta);
});

describe('A message', () => {
  it('goes to a person who has written to this page, and to nobody else', async () => {
    const psid = await practice.hear('Pat Example');
    expect(await practice.hear('Pat Example')).toBe(psid);
    const { status, body } = await practice.reply(psid);
    expect([status, body]).toEqual([200, { recipient_id: psid, message_id: expect.stringMatching(/^m_/) }]);
    expect(await refusal(practice.reply('24599999999999999'))).toEqual([100, 2018001]);
    const other = await meta.page({ personId: practice.personId, name: 'Second practice' });
    const elsewhere = await practice.hear('Pat Example', other.id);
    expect(elsewhere).not.toBe(psid);
    expect(await refusal(practice.reply(elsewhere))).toEqual([100, 2018001]);
    expect(await meta.sent(practice.id)).toEqual([
      expect.objectContaining({ mid: body.message_id, text: 'Good morning', participantName: 'Pat Example' }),
    ]);
    expect((await meta.messages(practice.id)).map(({ direction }) => direction)).toEqual(['in', 'in', 'out']);
  });

  it('goes on Instagram from the page, and has an id of another kind', async () => {
    const igsid = await practice.hear('Pat Example', practice.instagramId);
    const { body } = await practice.reply(igsid);
    expect(body).toEqual({ recipient_id: igsid, message_id: expect.stringMatching(/^aWdf/) });
    expect((await meta.sent(practice.instagramId)).length).toBe(1);
  });

  it('may be sent for a day after the person wrote, and by a human for seven', async () => {
    const asHuman = { messaging_type: 'MESSAGE_TAG', tag: 'HUMAN_AGENT' };
    for (const [place, subcode] of [
      [practice.id, 2018278],
      [practice.instagramId, 2534022],
    ] as const) {
      await meta.control('clock', { offsetSeconds: 0 });
      const id = await practice.hear('Pat Example', place);
      await meta.control('clock', { offsetSeconds: 86_390 });
      expect(await refusal(practice.reply(id))).toBeUndefined();
      await meta.control('clock', { offsetSeconds: 86_410 });
      expect(await refusal(practice.reply(id))).toEqual([10, subcode]);
      expect(await refusal(practice.send({ id }, { text: 'Late' }, asHuman))).toBeUndefined();
      await meta.control('clock', { offsetSeconds: 7 * 86_400 + 10 });
      expect(await refusal(practice.send({ id }, { text: 'Late' }, asHuman))).toEqual([10, subcode]);
      expect(await practice.hear('Pat Example', place)).toBe(id);
      expect(await refusal(practice.reply(id))).toBeUndefined();
    }
    expect(await refusal(practice.send({ id: '1' }, { text: 'x' }, { ...asHuman, tag: 'ACCOUNT_UPDATE' }))).toEqual([
      100,
      undefined,
    ]);
  });

  it('has text or a file, of which neither is too long nor in doubt', async () => {
    const [psid, igsid] = [await practice.hear('Pat'), await practice.hear('Pat', practice.instagramId)];
    const image = { attachment: { type: 'image', payload: { url: 'https://media.example/a.jpg' } } };
    expect(await refusal(practice.send({ id: psid }, image))).toBeUndefined();
    expect(await refusal(practice.send({ id: psid }, { ...image, text: 'both' }))).toEqual([100, undefined]);
    expect(await refusal(practice.send({ id: psid }, {}))).toEqual([100, 2018034]);
    const local = { attachment: { type: 'file', payload: { url: 'file:///etc/passwd' } } };
    expect(await refusal(practice.send({ id: psid }, local))).toEqual([100, 2018008]);
    expect(await refusal(practice.reply(psid, '🦷'.repeat(2000)))).toBeUndefined();
    expect(await refusal(practice.reply(psid, 'x'.repeat(2001)))).toEqual([100, undefined]);
    expect(await refusal(practice.reply(igsid, 'é'.repeat(500)))).toBeUndefined();
    expect(await refusal(practice.reply(igsid, 'é'.repeat(501)))).toEqual([100, undefined]);
  });

  it('needs the page’s own token, the channel’s permission and a person who takes it', async () => {
    const [psid, igsid] = [await practice.hear('Pat'), await practice.hear('Pat', practice.instagramId)];
    const text = { text: 'Hello' };
    const user = await practice.userToken();
    expect(await refusal(practice.send({ id: psid }, text, {}, user))).toEqual([190, 2069032]);
    await meta.control('permissions/revoke', { personId: practice.personId, permission: 'pages_messaging' });
    expect(await refusal(practice.reply(psid))).toEqual([200, undefined]);
    expect(await refusal(practice.reply(igsid))).toBeUndefined();
    await meta.control('permissions/revoke', { personId: practice.personId, permission: 'instagram_manage_messages' });
    expect(await refusal(practice.reply(igsid))).toEqual([200, undefined]);
    await practice.consent();
    await meta.control('block', { pageId: practice.id, from: 'Pat' });
    expect(await refusal(practice.reply(psid))).toEqual([551, 1545041]);
  });

  it('whose answer is lost stands there all the same', async () => {
    const psid = await practice.hear('Pat');
    await meta.fault({ on: 'page.message', kind: 'cut-after', objectId: practice.id });
    await expect(practice.reply(psid)).rejects.toThrow();
    await meta.fault({ on: 'page.message', kind: 'cut-before' });
    await expect(practice.reply(psid)).rejects.toThrow();
    expect((await meta.sent(practice.id)).length).toBe(1);
  });
});

describe('A person who writes', () => {
  it('is nobody else in a process that comes after: a service may remember', async () => {
    const after = [await startMeta(), await startMeta()];
    try {
      const first = { pageId: '104200000000001', from: 'Kim' };
      const [kim, sam] = [await after[0]?.write(first), await after[1]?.write({ ...first, from: 'Sam' })];
      expect(kim?.participantId).not.toBe(sam?.participantId);
      expect((await after[1]?.write(first))?.participantId).toBe(kim?.participantId);
      const given = { instagramId: '17841400000000001', from: 'Kim', text: 'Hello' };
      const comments = await Promise.all(after.map((meta) => meta.comment(given)));
      expect(new Set(comments.map(({ commentId }) => commentId)).size).toBe(2);
    } finally {
      await Promise.all(after.map((meta) => meta.stop()));
    }
  });

  it('has a name, and on Instagram another one; who has only commented has not agreed to show it', async () => {
    const [psid, igsid] = [
      await practice.hear('Pat Example'),
      await practice.hear('Pat Example', practice.instagramId),
    ];
    const profile = (id: string, fields: string) => practice.graph.get(id, practice.token, { fields });
    expect((await profile(psid, 'name,first_name')).body).toEqual({ id: psid, name: 'Pat Example', first_name: 'Pat' });
    expect(await refusal(profile(psid, 'username'))).toEqual([100, undefined]);
    expect((await profile(igsid, 'name,username')).body).toMatchObject({ username: 'pat.example' });
    const { participantId } = await meta.comment({ instagramId: practice.instagramId, from: 'Kim', text: 'Nice' });
    expect(await refusal(profile(participantId, 'name'))).toEqual([230, undefined]);
    await meta.fault({ on: 'participant.profile', kind: 'internal' });
    expect((await profile(psid, 'name')).status).toBe(500);
    const stranger = await practice.graph.login({ personId: await meta.person('Bob Stranger') });
    expect(await refusal(practice.graph.get(psid, stranger))).toEqual([100, 33]);
  });
});

describe('A comment', () => {
  const comment = () => meta.comment({ instagramId: practice.instagramId, from: 'Kim', text: 'How do I book?' });

  it('is answered for all to see, as often as one likes', async () => {
    const { commentId, mediaId } = await comment();
    const { body } = await practice.graph.post(`${commentId}/replies`, practice.token, { message: 'Write to us' });
    const read = await practice.graph.get(commentId, practice.token, { fields: 'text,username,media,replies' });
    expect(read.body).toMatchObject({ text: 'How do I book?', username: 'kim', media: { id: mediaId } });
    expect(read.body.replies.data).toEqual([{ id: body.id, text: 'Write to us' }]);
    expect((await practice.graph.get(`${commentId}/replies`, practice.token)).body.data).toEqual([
      expect.objectContaining({ id: body.id, text: 'Write to us' }),
    ]);
    await meta.fault({ on: 'comment.reply', kind: 'rate-limited' });
    expect(await refusal(practice.graph.post(`${commentId}/replies`, practice.token, { message: 'Again' }))).toEqual([
      4,
      undefined,
    ]);
    await meta.control('permissions/revoke', { personId: practice.personId, permission: 'instagram_manage_comments' });
    expect(await refusal(practice.graph.post(`${commentId}/replies`, practice.token, { message: 'No' }))).toEqual([
      200,
      undefined,
    ]);
  });

  it('is answered privately once, within seven days, which opens no window', async () => {
    const { commentId, participantId } = await comment();
    const privately = (comment_id: string) => practice.send({ comment_id }, { text: 'Here is how' });
    expect((await privately(commentId)).body).toEqual({
      recipient_id: participantId,
      message_id: expect.stringMatching(/^aWdf/),
    });
    expect(await refusal(privately(commentId))).toEqual([100, 2534025]);
    expect(await refusal(privately('18059999999999999'))).toEqual([100, 2534025]);
    expect(await refusal(practice.reply(participantId))).toEqual([100, 2534014]);
    const old = await comment();
    await meta.control('clock', { offsetSeconds: 7 * 86_400 + 10 });
    expect(await refusal(privately(old.commentId))).toEqual([100, 2534025]);
    expect((await meta.sent(practice.instagramId)).map((message) => message.commentId)).toEqual([commentId]);
  });
});
