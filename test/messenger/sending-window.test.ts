import { type Meta, startMeta } from '../support/meta.js';
import {
  becomes,
  hearFrom,
  isSent,
  messagesOf,
  openPractice,
  type Practice,
  say,
  standing,
} from '../support/sending.js';
import { type Service, startService } from '../support/service.js';

/** Meta's rule of the 24 hours, and of the seven days with the tag, where it has been granted. */

const hourMs = 3_600_000;

let meta: Meta;
let service: Service;
let practice: Practice;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: { ...meta.variables, META_HUMAN_AGENT: 'true' } });
  practice = await openPractice(meta, service);
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});

const wrote = (hoursAgo: number, from = `Wrote ${hoursAgo} hours ago`) =>
  hearFrom(meta, service, practice, from, { at: new Date(Date.now() - hoursAgo * hourMs) });
const tagged = { text: 'Answered late', tag: 'HUMAN_AGENT' };

describe('The window in which one may answer', () => {
  it('is open for a day after the other side wrote', async () => {
    const talk = await wrote(23.9);
    const answer = await say(service, talk, 'In time');
    await becomes(service.database, answer.body.id, isSent);
    expect(await standing(meta, talk)).toEqual(['In time']);
  });

  it('is then closed, and the refusal says since when', async () => {
    const talk = await wrote(24.1);
    const answer = await say(service, talk, 'Too late');
    expect([answer.status, answer.body.code]).toEqual([422, 'outside-messaging-window']);
    const closed = new Date(/at (\S+)\.$/.exec(answer.body.detail)?.[1] ?? '');
    expect(Date.now() - closed.getTime()).toBeGreaterThan(0.09 * hourMs);
    expect(Date.now() - closed.getTime()).toBeLessThan(0.2 * hourMs);
    expect(await messagesOf(service.database, talk)).toEqual([]);
  });

  it('has never been open where the other side has never written', async () => {
    const talk = await wrote(1, 'Never wrote');
    await service.database.sql('UPDATE conversations SET last_customer_message_at = NULL WHERE id = $1', [talk.id]);
    const answer = await say(service, talk, 'Unasked');
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([
      ...[422, 'outside-messaging-window', 'They have never written.'],
    ]);
  });

  it('is not opened by what we say ourselves', async () => {
    const talk = await wrote(23.99, 'Answered at the end');
    await becomes(service.database, (await say(service, talk, 'At the end')).body.id, isSent);
    await service.database.sql(
      `UPDATE conversations SET last_customer_message_at = last_customer_message_at - interval '1 minute' WHERE id = $1`,
      [talk.id],
    );
    expect((await say(service, talk, 'After the end')).body.code).toBe('outside-messaging-window');
  });
});

describe('A person who answers later', () => {
  it('may with the tag, for seven days', async () => {
    const talk = await wrote(6.9 * 24);
    const answer = await say(service, talk, tagged);
    expect(answer.body).toMatchObject({ status: 'pending', tag: 'HUMAN_AGENT' });
    await becomes(service.database, answer.body.id, isSent);
    expect((await meta.sent(practice.pageId)).at(-1)).toMatchObject({ text: 'Answered late', tag: 'HUMAN_AGENT' });
  });

  it('may not after that', async () => {
    const answer = await say(service, await wrote(7.1 * 24), tagged);
    expect([answer.status, answer.body.code]).toEqual([422, 'outside-messaging-window']);
    const closed = new Date(/at (\S+)\.$/.exec(answer.body.detail)?.[1] ?? '');
    expect(Date.now() - closed.getTime()).toBeLessThan(3 * hourMs);
  });

  it('may not where the tag has not been granted, not even within the day', async () => {
    const { database, config } = service;
    const plain = await startService({ database, variables: { ...meta.variables, DATA_DIR: config.dataDir } });
    for (const hours of [1, 48]) {
      const answer = await say(plain, await wrote(hours, `Not granted ${hours}`), tagged);
      expect([answer.status, answer.body.code]).toEqual([422, 'human-agent-not-granted']);
    }
    await plain.application.close();
  });

  it('is a person: the database takes the tag from nobody else', async () => {
    const talk = await wrote(30, 'No machine');
    const insert = service.database.sql(
      `INSERT INTO messages (id, owner_id, conversation_id, channel, direction, status, sent_by, tag)
       VALUES (gen_random_uuid(), $1, $2, 'messenger', 'out', 'pending', 'automation', 'HUMAN_AGENT')`,
      [practice.ownerId, talk.id],
    );
    await expect(insert).rejects.toThrow('messages_tag_check');
  });
});

describe('An address of a file', () => {
  const nowhere = [
    ...['http://files.example/a.png', 'https://127.0.0.1/a.png', 'https://[::1]/a.png', 'https://10.0.0.7/a.png'],
    ...['https://localhost/a.png', 'https://intranet/a.png', 'https://a.internal/a.png', 'https://nas.home.arpa/a.png'],
  ];

  it('is one of the public internet', async () => {
    const { database, config } = service;
    const variables = { ...meta.variables, MEDIA_ALLOW_PRIVATE: 'false', DATA_DIR: config.dataDir };
    const strict = await startService({ database, variables });
    const talk = await wrote(1, 'Gets a file');
    for (const url of nowhere) {
      const { body } = await say(strict, talk, { attachment: { type: 'image', url } });
      expect({ url, ...body }).toMatchObject({
        ...{ url, code: 'rule-violated', errors: [{ path: 'attachment.url', code: 'not-public' }] },
      });
    }
    expect((await say(strict, talk, { attachment: { type: 'file', url: 'https://files.example/a' } })).status).toBe(
      202,
    );
    await strict.application.close();
  });
});
