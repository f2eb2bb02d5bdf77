import { type Meta, startMeta } from '../support/meta.js';
import {
  becomes,
  hearFrom,
  isInDoubt,
  isSent,
  messageRow,
  messagesOf,
  openPractice,
  type Practice,
  queued,
  type Talk,
  tellEchoes,
} from '../support/sending.js';
import { type Service, startService } from '../support/service.js';

/** What echoes tell: whose call was lost, and what was written in Meta's own inbox. None is ever answered. */

let meta: Meta;
let service: Service;
let practice: Practice;

beforeAll(async () => {
  meta = await startMeta();
  service = await startService({ withWorker: true, variables: { ...meta.variables, META_TIMEOUT_MS: '1000' } });
  practice = await openPractice(meta, service);
}, 60_000);
afterAll(async () => {
  await service.stop();
  await meta.stop();
});
afterEach(async () => {
  await meta.control('faults/clear');
  const talk = await hearFrom(meta, service, practice, `Well ${Math.random()}`);
  await becomes(service.database, await queued(service, talk, 'All is well'), isSent, { hastened: true });
});

const talkWith = (from: string, channel: Talk['channel'] = 'messenger') =>
  hearFrom(meta, service, practice, from, { channel });
const objectOf = ({ channel }: Talk) => (channel === 'messenger' ? practice.pageId : practice.instagramId);
const midOf = async (talk: Talk, text: string) =>
  (await meta.sent(objectOf(talk))).find((each) => each.participantId === talk.participantId && each.text === text)
    ?.mid;

/** Carried out, and its answer lost. */
async function inDoubt(talk: Talk, body: string | Record<string, unknown>): Promise<string> {
  await meta.fault({ on: 'page.message', kind: 'cut-after', objectId: practice.pageId });
  const id = await queued(service, talk, body);
  await becomes(service.database, id, isInDoubt, { hastened: true });
  return id;
}

describe('The echo of a message whose answer came', () => {
  it('tells when Meta took it, by whose clock it stands among the others', async () => {
    const talk = await talkWith('Known');
    const id = await queued(service, talk, 'Known');
    const { platform_message_id: mid, status } = await becomes(service.database, id, isSent);
    const at = new Date('2026-01-02T03:04:05Z');
    await tellEchoes(service, talk, [{ mid: mid ?? '', metadata: id, text: 'Known', at }]);
    const rows = await messagesOf(service.database, talk);
    expect(rows).toMatchObject([{ id, status, platform_message_id: mid, platform_timestamp: at }]);
  });

  it('changes nothing else, however often it comes', async () => {
    const talk = await talkWith('Known again');
    const id = await queued(service, talk, 'Known again');
    const { platform_message_id: mid } = await becomes(service.database, id, isSent);
    const echo = { mid: mid ?? '', metadata: id, text: 'Known again', at: new Date() };
    await tellEchoes(service, talk, [echo, echo]);
    const before = await messagesOf(service.database, talk);
    await tellEchoes(service, talk, [echo]);
    expect(await messagesOf(service.database, talk)).toEqual(before);
    expect(before).toMatchObject([{ id, status: 'sent', platform_message_id: mid }]);
  });

  it('may come before the answer', async () => {
    const talk = await talkWith('Early');
    await meta.fault({ on: 'page.message', kind: 'slow', delayMs: 600, objectId: practice.pageId });
    const id = await queued(service, talk, 'Early');
    let mid: string | undefined;
    while (!mid) mid = await midOf(talk, 'Early');
    await tellEchoes(service, talk, [{ mid, metadata: id, text: 'Early', at: new Date('2026-01-02T03:04:05Z') }]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const rows = await messagesOf(service.database, talk);
    expect(rows).toMatchObject([{ id, status: 'sent', platform_message_id: mid }]);
    expect(rows[0]?.platform_timestamp).toEqual(new Date('2026-01-02T03:04:05Z'));
  });
});

describe('An echo that names no message, as those of Instagram', () => {
  it('belongs to the one that says the same', async () => {
    const talk = await talkWith('Ina', 'instagram');
    const id = await inDoubt(talk, 'Grüße 🦷');
    const mid = (await midOf(talk, 'Grüße 🦷')) ?? '';
    await tellEchoes(service, talk, [
      { mid: 'foreign', text: 'Typed in the app' },
      { mid, text: 'Grüße 🦷' },
    ]);
    expect(await messageRow(service.database, id)).toMatchObject({ status: 'sent', platform_message_id: mid });
    const rows = await messagesOf(service.database, talk);
    expect(rows.map(({ sent_by, platform_message_id }) => [sent_by, platform_message_id])).toEqual([
      ['user', mid],
      [null, 'foreign'],
    ]);
  });

  it('belongs to a file when it shows one of its kind', async () => {
    const talk = await talkWith('Files', 'instagram');
    const id = await inDoubt(talk, { attachment: { type: 'image', url: meta.media('photo.jpg') } });
    await tellEchoes(service, talk, [
      { mid: 'video', attachments: [{ type: 'video', url: 'https://meta.example/v' }] },
    ]);
    expect((await messageRow(service.database, id)).status).toBe('pending');
    await tellEchoes(service, talk, [
      { mid: 'image', attachments: [{ type: 'image', url: 'https://meta.example/i' }] },
    ]);
    expect(await messageRow(service.database, id)).toMatchObject({ status: 'sent', platform_message_id: 'image' });
  });

  it('settles two that say the same with one echo each', async () => {
    const talk = await talkWith('Twice', 'instagram');
    const first = await inDoubt(talk, 'Yes');
    const second = await inDoubt(talk, 'Yes');
    await tellEchoes(service, talk, [
      { mid: 'yes-1', text: 'Yes' },
      { mid: 'yes-2', text: 'Yes' },
    ]);
    const rows = [await messageRow(service.database, first), await messageRow(service.database, second)];
    expect(rows.map(({ status }) => status)).toEqual(['sent', 'sent']);
    expect(rows.map(({ platform_message_id }) => platform_message_id).sort()).toEqual(['yes-1', 'yes-2']);
    expect(await messagesOf(service.database, talk)).toHaveLength(2);
  });

  it('is put right by the answer when it was taken for that of another', async () => {
    const talk = await talkWith('Mixed up', 'instagram');
    const lost = await inDoubt(talk, 'Same words');
    await service.database.sql(
      `UPDATE messages SET send_started_at = send_started_at - interval '1 minute' WHERE id = $1`,
      [lost],
    );
    await meta.fault({ on: 'page.message', kind: 'slow', delayMs: 700, objectId: practice.pageId });
    const second = await queued(service, talk, 'Same words');
    await becomes(service.database, second, ({ send_started_at }) => send_started_at !== null, { hastened: true });
    // Late, the echo of the first; it is nearer to the second.
    await tellEchoes(service, talk, [{ mid: 'echo-of-the-first', text: 'Same words' }]);
    expect(await messageRow(service.database, second)).toMatchObject({ platform_message_id: 'echo-of-the-first' });
    const settled = await becomes(service.database, second, (row) => row.platform_message_id !== 'echo-of-the-first');
    expect(settled.status).toBe('sent');
    expect(await messageRow(service.database, lost)).toMatchObject({
      ...{ status: 'sent', platform_message_id: 'echo-of-the-first' },
    });
    expect(await messagesOf(service.database, talk)).toHaveLength(2);
  });

  it('is one of ours after all when the answer says so', async () => {
    const talk = await talkWith('Other words', 'instagram');
    await meta.fault({ on: 'page.message', kind: 'slow', delayMs: 700, objectId: practice.pageId });
    const id = await queued(service, talk, 'As we wrote it');
    let mid: string | undefined;
    while (!mid) mid = await midOf(talk, 'As we wrote it');
    await tellEchoes(service, talk, [{ mid, text: 'As Meta writes it' }]);
    expect(await messagesOf(service.database, talk)).toHaveLength(2);
    await becomes(service.database, id, isSent);
    expect(await messagesOf(service.database, talk)).toMatchObject([{ id, platform_message_id: mid }]);
  });

  it('takes the id back from a message that it never was', async () => {
    const talk = await talkWith('Taken back', 'instagram');
    await meta.fault({ on: 'page.message', kind: 'cut-before', objectId: practice.pageId });
    const never = await queued(service, talk, 'Said once');
    await becomes(service.database, never, isInDoubt);
    await meta.fault({ on: 'page.message', kind: 'slow', delayMs: 700, objectId: practice.pageId });
    const sent = await queued(service, talk, 'Said once');
    await becomes(service.database, sent, ({ send_started_at }) => send_started_at !== null, { hastened: true });
    let mid: string | undefined;
    while (!mid) mid = await midOf(talk, 'Said once');
    const { send_started_at } = await messageRow(service.database, never);
    await tellEchoes(service, talk, [{ mid, text: 'Said once', at: new Date((send_started_at?.getTime() ?? 0) + 1) }]);
    expect(await messageRow(service.database, never)).toMatchObject({ status: 'sent', platform_message_id: mid });
    await becomes(service.database, sent, isSent);
    expect(await messageRow(service.database, sent)).toMatchObject({ platform_message_id: mid });
    expect(await messageRow(service.database, never)).toMatchObject({
      ...{ status: 'failed', error_code: 'outcome-unknown', platform_message_id: null },
    });
  });
});

describe('What was written elsewhere', () => {
  it('is kept as nobody’s of ours, and read like everything else', async () => {
    const talk = await talkWith('Inbox');
    const at = new Date(Date.now() + 1_000);
    await tellEchoes(service, talk, [{ mid: 'inbox-1', text: 'Written in the inbox', at }]);
    expect(await messagesOf(service.database, talk)).toMatchObject([
      { direction: 'out', status: 'sent', sent_by: null, platform_message_id: 'inbox-1', platform_timestamp: at },
    ]);
    const token = await service.tokenOf(practice.email);
    const { body } = await service.call('GET', `/messenger/conversations/${talk.id}/messages`, { token });
    expect(body.data).toMatchObject([{ text: 'Written in the inbox', sentBy: null }]);
  });

  it('by another app is not taken for ours, though it says the same', async () => {
    const talk = await talkWith('Other app');
    const id = await inDoubt(talk, 'The same');
    await tellEchoes(service, talk, [{ mid: 'other-app', appId: 'another-app', text: 'The same' }]);
    expect((await messageRow(service.database, id)).status).toBe('pending');
    expect(await messagesOf(service.database, talk)).toHaveLength(2);
  });

  it('long after our call is not taken for ours, either', async () => {
    const talk = await talkWith('Much later', 'instagram');
    const id = await inDoubt(talk, 'The same');
    await tellEchoes(service, talk, [{ mid: 'later', text: 'The same', at: new Date(Date.now() + 3_600_000) }]);
    expect((await messageRow(service.database, id)).status).toBe('pending');
  });

  it('with the id of a message of another conversation on it settles nothing there', async () => {
    const [mine, other] = [await talkWith('Mine'), await talkWith('Other')];
    const id = await inDoubt(mine, 'Mine');
    await tellEchoes(service, other, [{ mid: 'forged', metadata: id, text: 'Mine' }]);
    expect((await messageRow(service.database, id)).status).toBe('pending');
    expect(await messagesOf(service.database, other)).toMatchObject([{ sent_by: null }]);
  });
});

describe('Two batches that tell of the same', () => {
  it('settle it once', async () => {
    const talk = await talkWith('Batches');
    const id = await inDoubt(talk, 'Batches');
    const echoes = [
      { mid: 'batch', metadata: id, text: 'Batches' },
      { mid: 'foreign-batch', text: 'Foreign' },
    ];
    await Promise.all([1, 2, 3, 4].map(() => tellEchoes(service, talk, echoes)));
    expect((await messagesOf(service.database, talk)).map(({ platform_message_id }) => platform_message_id)).toEqual([
      ...['batch', 'foreign-batch'],
    ]);
  });
});
