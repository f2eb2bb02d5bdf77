import { demoAddress } from '../../src/demo/demo.js';
import { userOf } from '../support/messenger.js';
import { type Meta, startMeta } from '../support/meta.js';
import {
  becomes,
  hearFrom,
  isFailed,
  isPutOff,
  isSent,
  messageRow,
  messagesOf,
  openPractice,
  type Practice,
  queued,
  say,
  standing,
} from '../support/sending.js';
import { type Service, startService } from '../support/service.js';

/** How somebody answers in a conversation: what is refused before Meta is asked, and what Meta then gets. */

let meta: Meta;
let service: Service;
let practice: Practice;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: meta.variables });
  practice = await openPractice(meta, service);
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
afterEach(async () => {
  await meta.control('faults/clear');
  await meta.control('calls/clear');
});

describe('A message', () => {
  it('is pending first, then sent, and stands in the conversation at Meta', async () => {
    const talk = await hearFrom(meta, service, practice, 'Pat');
    const answer = await say(service, talk, 'Good morning 🦷');
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({
      ...{ id: expect.any(String), conversationId: talk.id, channel: 'messenger', status: 'pending', tag: null },
      ...{ retryOf: null, createdAt: expect.any(String) },
    });
    const sent = await becomes(service.database, answer.body.id, isSent);
    const [stands] = await meta.sent(practice.pageId);
    expect(stands).toMatchObject({ text: 'Good morning 🦷', mid: sent.platform_message_id, metadata: sent.id });
    expect(sent).toMatchObject({ error_code: null, sent_by: 'user', next_attempt_at: null, doubted_at: null });
  });

  it('is noted at its conversation and at its connection', async () => {
    const talk = await hearFrom(meta, service, practice, 'Noted', { at: new Date(Date.now() - 3_600_000) });
    await becomes(service.database, await queued(service, talk, 'An hour later'), isSent);
    const [conversation] = await service.database.sql<{ last_message_at: Date }>(
      'SELECT last_message_at FROM conversations WHERE id = $1',
      [talk.id],
    );
    expect(Date.now() - (conversation?.last_message_at.getTime() ?? 0)).toBeLessThan(60_000);
    const [connection] = await service.database.sql<{ last_dm_success_at: Date | null }>(
      'SELECT last_dm_success_at FROM messenger_connections WHERE page_id = $1',
      [practice.pageId],
    );
    expect(connection?.last_dm_success_at).not.toBeNull();
  });

  it('goes to Instagram through the page of the account', async () => {
    const talk = await hearFrom(meta, service, practice, 'Ina', { channel: 'instagram' });
    await becomes(service.database, await queued(service, talk, 'On Instagram'), isSent);
    expect(await standing(meta, talk)).toEqual(['On Instagram']);
    expect(await meta.sent(practice.instagramId)).toHaveLength(1);
  });

  it('carries a file in place of a text', async () => {
    const talk = await hearFrom(meta, service, practice, 'File');
    const attachment = { type: 'image', url: meta.media('photo.jpg') };
    await becomes(service.database, await queued(service, talk, { attachment }), isSent);
    const [sent] = (await meta.sent(practice.pageId)).filter(
      ({ participantId }) => participantId === talk.participantId,
    );
    expect(sent).toMatchObject({ attachments: [{ type: 'image', payload: { url: attachment.url } }] });
    expect(sent?.text).toBeUndefined();
  });

  it.each([
    ['nothing', {}],
    ['both', { text: 'Both', attachment: { type: 'image', url: 'https://files.example/a.png' } }],
    ['an empty text', { text: '' }],
    ['a blank text', { text: ' \n ' }],
    ['more than 2,000 characters', { text: 'x'.repeat(2_001) }],
    ['a NUL', { text: 'a\0b' }],
    ['half an emoji', { text: 'a\ud83d' }],
    ['a file of another kind', { attachment: { type: 'video', url: 'https://files.example/a.mp4' } }],
    ['an address that is none', { attachment: { type: 'image', url: 'javascript:alert(1)' } }],
    ['an address with a password', { attachment: { type: 'image', url: 'https://me:secret@files.example/a.png' } }],
    ['another tag', { text: 'Tagged', tag: 'ACCOUNT_UPDATE' }],
    ['what nobody knows', { text: 'Hello', to: 'everybody' }],
  ])('with %s is refused', async (_what, body) => {
    const talk = await hearFrom(meta, service, practice, 'Refused', {
      columns: { participant_id: `r${Math.random()}` },
    });
    expect((await say(service, talk, body)).status).toBe(400);
    expect(await messagesOf(service.database, talk)).toEqual([]);
  });

  it('is as long as its channel takes: 2,000 characters, or 1,000 bytes', async () => {
    const messenger = await hearFrom(meta, service, practice, 'Long');
    const instagram = await hearFrom(meta, service, practice, 'Long', { channel: 'instagram' });
    const longest = await queued(service, messenger, 'ä'.repeat(2_000));
    const bytes = await queued(service, instagram, 'ä'.repeat(500));
    await Promise.all([longest, bytes].map((id) => becomes(service.database, id, isSent)));
    const refused = await say(service, instagram, 'ä'.repeat(501));
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({ code: 'rule-violated', errors: [{ path: 'text', code: 'too-long' }] });
  });

  it('leaves no text behind, neither in the database nor in the stored answer', async () => {
    const talk = await hearFrom(meta, service, practice, 'Secret');
    const text = 'A text that nobody else may read';
    const answer = await say(service, talk, text, { headers: { 'idempotency-key': 'secret' } });
    await becomes(service.database, answer.body.id, isSent);
    const rows = await service.database.sql<{ row: string }>(
      `SELECT m::text AS row FROM messages m UNION ALL SELECT k::text FROM app.idempotency_keys k
       UNION ALL SELECT a::text FROM audit.events a UNION ALL SELECT j::text FROM graphile_worker._private_jobs j`,
    );
    expect(rows.filter(({ row }) => row.includes(text))).toEqual([]);
  });
});

describe('A request that is sent twice', () => {
  it('with the same key sends one message', async () => {
    const talk = await hearFrom(meta, service, practice, 'Twice');
    const headers = { 'idempotency-key': 'twice' };
    const first = await say(service, talk, 'Once', { headers });
    const second = await say(service, talk, 'Once', { headers });
    expect([second.status, second.body.id]).toEqual([202, first.body.id]);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    await becomes(service.database, first.body.id, isSent);
    expect(await standing(meta, talk)).toEqual(['Once']);
  });

  it('with the same key and another text is refused', async () => {
    const talk = await hearFrom(meta, service, practice, 'Other');
    const headers = { 'idempotency-key': 'other' };
    await say(service, talk, 'The one', { headers });
    const other = await say(service, talk, 'The other', { headers });
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
  });
});

describe('Several messages of a conversation', () => {
  it('leave in the order in which they were queued', async () => {
    const talk = await hearFrom(meta, service, practice, 'Order');
    const texts = Array.from({ length: 8 }, (_, number) => `Number ${number}`);
    // While the first is on its way, the others come together behind it.
    await meta.fault({ on: 'page.message', kind: 'slow', delayMs: 800, objectId: practice.pageId });
    const ids: string[] = [];
    for (const text of texts) ids.push(await queued(service, talk, text));
    await Promise.all(ids.map((id) => becomes(service.database, id, isSent)));
    expect(await standing(meta, talk)).toEqual(texts);
  });

  it('go on when one of them fails', async () => {
    const talk = await hearFrom(meta, service, practice, 'Fails');
    await meta.fault({ on: 'page.message', kind: 'refused', objectId: practice.pageId });
    const first = await queued(service, talk, 'Refused');
    const second = await queued(service, talk, 'Taken');
    await becomes(service.database, second, isSent);
    expect(await messageRow(service.database, first)).toMatchObject({ status: 'failed', error_code: 'meta-refused' });
    expect(await standing(meta, talk)).toEqual(['Taken']);
  });
});

describe('Who answers', () => {
  const stranger = demoAddress('owner', 'southbank');

  it('is the owner or the colleague who has the conversation; for everybody else it is not there', async () => {
    const staff = demoAddress('staff', 'northside');
    const [clinic] = await service.database.sql<{ id: string }>(
      `SELECT clinic_id AS id FROM user_clinic_roles WHERE user_id = $1`,
      [await userOf(service.database, staff)],
    );
    const talk = await hearFrom(meta, service, practice, 'Handed', { columns: { clinic_id: clinic?.id } });
    for (const email of [staff, stranger, demoAddress('clinic_admin', 'northside'), 'admin@polyclinic.example']) {
      const answer = await say(service, talk, 'Not mine', { email });
      expect([answer.status, answer.body.code]).toEqual([404, 'not-found']);
    }
    await service.database.sql('UPDATE conversations SET assigned_to = $2 WHERE id = $1', [
      talk.id,
      await userOf(service.database, staff),
    ]);
    const answer = await say(service, talk, 'Mine now', { email: staff });
    expect(answer.status).toBe(202);
    await becomes(service.database, answer.body.id, isSent);
    const traces = await service.database.sql<{ actor_id: string }>(
      `SELECT actor_id FROM audit.events WHERE table_name = 'public.messages' AND row_id = $1`,
      [answer.body.id],
    );
    expect(traces.map(({ actor_id }) => actor_id)).toEqual([await userOf(service.database, staff)]);
  });

  it('has to be signed in', async () => {
    const talk = await hearFrom(meta, service, practice, 'Nobody');
    const path = `/messenger/conversations/${talk.id}/messages`;
    expect((await service.call('POST', path, { body: { text: 'Hello' } })).status).toBe(401);
  });
});

describe('A page that is connected no more', () => {
  it('refuses at once, and fails what had been queued', async () => {
    const other = await openPractice(meta, service, { role: 'manager' });
    const talk = await hearFrom(meta, service, other, 'Too late');
    await meta.fault({ on: 'page.message', kind: 'page-rate-limited', objectId: other.pageId, retryAfter: 30 });
    const waiting = await queued(service, talk, 'Still queued');
    await becomes(service.database, waiting, isPutOff);
    await service.database.sql(
      'UPDATE messenger_connections SET is_active = false, page_access_token_sealed = NULL WHERE owner_id = $1',
      [other.ownerId],
    );
    await service.database.sql('DELETE FROM doctor_instagram WHERE doctor_id = $1', [other.ownerId]);
    const refused = await say(service, talk, 'Too late');
    expect([refused.status, refused.body.code]).toEqual([409, 'not-connected']);
    const row = await becomes(service.database, waiting, isFailed, { hastened: true });
    expect(row.error_code).toBe('not-connected');
  });
});
