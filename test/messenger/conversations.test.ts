import pg from 'pg';
import { demoAddress } from '../../src/demo/demo.js';
import { insertConversation, insertMessage, userOf } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';

let service: Service;
let owner: string;
let ownerId: string;

beforeAll(async () => {
  service = await startService();
  owner = await service.tokenOf(demoAddress('provider', 'northside'));
  ownerId = await userOf(service.database, demoAddress('provider', 'northside'));
});
afterAll(() => service.stop());
afterEach(() => service.database.sql('DELETE FROM conversations'));

const hour = 3_600_000;
const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);
const make = (columns: Record<string, unknown> = {}) => insertConversation(service.database, ownerId, columns);
const list = (query = '') => service.call('GET', `/messenger/conversations${query}`, { token: owner });
const one = (id: string, path = '', token = owner) =>
  service.call('GET', `/messenger/conversations/${id}${path}`, { token });
const namesOf = async (query: string) =>
  (await list(query)).body.data.map(({ participantName }: { participantName: string }) => participantName);

describe('The list of conversations', () => {
  it('has what was said last first, and pages through all without a gap', async () => {
    const ids: string[] = [];
    // Two of the same moment: the id decides.
    for (const index of [0, 1, 1, 2, 3, 4, 5]) ids.push(await make({ last_message_at: ago(index * hour) }));
    const pages: string[][] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const answer = await list(`?limit=2${cursor && `&cursor=${cursor}`}`);
      expect(answer.status).toBe(200);
      pages.push(answer.body.data.map(({ id }: { id: string }) => id));
      cursor = answer.body.nextCursor;
    }
    expect(pages.map((page) => page.length)).toEqual([2, 2, 2, 1]);
    const expected = [ids[0], ...[ids[1], ids[2]].sort().reverse(), ...ids.slice(3)];
    expect(pages.flat()).toEqual(expected);
  });

  it('does not lose those that differ by less than a millisecond', async () => {
    for (const micros of ['000100', '000200', '000300', '000400'])
      await make({ last_message_at: `2026-05-01T10:00:00.${micros}Z`, participant_name: micros });
    const first = await list('?limit=2');
    const second = await list(`?limit=2&cursor=${first.body.nextCursor}`);
    const all = [...first.body.data, ...second.body.data].map(({ participantName }) => participantName);
    expect(all).toEqual(['000400', '000300', '000200', '000100']);
  });

  it('is filtered by status, channel, assignment and by what is unread', async () => {
    await make({ participant_name: 'open', last_message_at: ago(1) });
    await make({ participant_name: 'closed', status: 'closed', last_message_at: ago(2) });
    await make({ participant_name: 'instagram', channel: 'instagram', last_message_at: ago(3) });
    await make({ participant_name: 'unread', unread_count: 2, last_message_at: ago(4) });
    const colleague = await userOf(service.database, demoAddress('staff', 'northside'));
    await make({ participant_name: 'handed', assigned_to: colleague, last_message_at: ago(5) });
    await make({ participant_name: 'mine', assigned_to: ownerId, last_message_at: ago(6) });

    expect(await namesOf('')).toHaveLength(6);
    expect(await namesOf('?status=closed')).toEqual(['closed']);
    expect(await namesOf('?channel=instagram')).toEqual(['instagram']);
    expect(await namesOf('?unread=true')).toEqual(['unread']);
    expect(await namesOf('?unread=false')).toHaveLength(5);
    expect(await namesOf('?assigned=me')).toEqual(['mine']);
    expect(await namesOf('?assigned=none')).toHaveLength(4);
    expect(await namesOf(`?assigned=${colleague}`)).toEqual(['handed']);
    expect(await namesOf(`?assigned=${colleague}&status=closed`)).toEqual([]);
  });

  it.each([
    ['ann', ['Anna Berg', 'Joanne']],
    ['BERG', ['Anna Berg']],
    ['100%', ['100% Tooth']],
    ['%', ['100% Tooth']],
    ['_', ['snake_case']],
    ['\\', ['back\\slash']],
    ["o'", ["O'Neill"]],
  ])('is searched for %s by name, where no character is a wildcard', async (q, expected) => {
    const names = ['Anna Berg', 'Joanne', '100% Tooth', 'snake_case', 'back\\slash', "O'Neill"];
    for (const [index, name] of names.entries())
      await make({ participant_name: name, last_message_at: ago(index * hour) });
    expect(await namesOf(`?q=${encodeURIComponent(q)}`)).toEqual(expected);
  });

  it('never searches what was written', async () => {
    const id = await make({ participant_name: 'Somebody' });
    await insertMessage(service, id, { text: 'wisdom tooth' });
    expect(await namesOf('?q=wisdom')).toEqual([]);
  });

  it.each(['?status=gone', '?unread=maybe', '?assigned=nobody', '?q=', '?limit=0', '?channel=fax', '?colour=red'])(
    'refuses %s',
    async (query) => expect((await list(query)).status).toBe(400),
  );

  it('refuses a cursor that was changed, or comes from another list', async () => {
    for (const index of [1, 2]) await make({ last_message_at: ago(index) });
    const { nextCursor } = (await list('?limit=1')).body;
    expect((await list(`?cursor=${nextCursor.slice(0, -1)}x`)).body.code).toBe('invalid-cursor');
    const id = await make();
    await insertMessage(service, id);
    await insertMessage(service, id);
    const { olderCursor } = (await one(id, '/messages?limit=1')).body;
    expect((await list(`?cursor=${olderCursor}`)).body.code).toBe('invalid-cursor');
  });
});

describe('A conversation', () => {
  it('tells until when it may be answered', async () => {
    const open = await make({ last_customer_message_at: ago(23 * hour) });
    const shut = await make({ last_customer_message_at: ago(25 * hour) });
    const silent = await make({ last_customer_message_at: null });
    expect((await one(open)).body.window).toMatchObject({ isOpen: true, humanAgentUntil: null });
    const { isOpen, closesAt } = (await one(shut)).body.window;
    expect(isOpen).toBe(false);
    expect(Math.abs(Date.parse(closesAt) - ago(hour).getTime())).toBeLessThan(10_000);
    expect((await one(silent)).body.window).toEqual({ isOpen: false, closesAt: null, humanAgentUntil: null });
  });

  it('tells of the seven days where the app has been granted the tag', async () => {
    const other = await startService({ database: service.database, variables: { META_HUMAN_AGENT: 'true' } });
    const id = await make({ last_customer_message_at: ago(25 * hour) });
    const token = await other.tokenOf(demoAddress('provider', 'northside'));
    const { body } = await other.call('GET', `/messenger/conversations/${id}`, { token });
    await other.stop();
    const until = Date.parse(body.window.humanAgentUntil);
    expect(Math.abs(until - ago((25 - 7 * 24) * hour).getTime())).toBeLessThan(10_000);
    expect(body.window.isOpen).toBe(false);
  });

  it('shows no id that Meta gave its participant', async () => {
    const id = await make({ participant_id: '9876543210123456' });
    expect((await one(id)).text).not.toContain('9876543210123456');
  });

  it('is not sent again to whoever has it', async () => {
    const id = await make();
    const etag = (await one(id)).headers.get('etag') ?? '';
    const again = await service.call('GET', `/messenger/conversations/${id}`, {
      token: owner,
      headers: { 'if-none-match': etag },
    });
    expect(again.status).toBe(304);
  });
});

describe('The messages of a conversation', () => {
  const minute = 60_000;
  const speak = (id: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        insertMessage(service, id, { text: `number ${index}`, platform_timestamp: ago((count - index) * minute) }),
      ),
    );
  const textsOf = ({ body }: { body: { data: { text: string }[] } }) => body.data.map(({ text }) => text);

  it('are read from the newest to the oldest, and on to those that came since', async () => {
    const id = await make();
    await speak(id, 5);
    const first = await one(id, '/messages?limit=2');
    expect(textsOf(first)).toEqual(['number 4', 'number 3']);
    const second = await one(id, `/messages?limit=2&before=${first.body.olderCursor}`);
    expect(textsOf(second)).toEqual(['number 2', 'number 1']);
    const last = await one(id, `/messages?limit=2&before=${second.body.olderCursor}`);
    expect(textsOf(last)).toEqual(['number 0']);
    expect(last.body.olderCursor).toBeNull();

    for (const text of ['five', 'six', 'seven']) await insertMessage(service, id, { text, platform_timestamp: ago(0) });
    const newer = await one(id, `/messages?limit=2&after=${first.body.newerCursor}`);
    expect(textsOf(newer)).toEqual(['six', 'five']);
    const newest = await one(id, `/messages?limit=2&after=${newer.body.newerCursor}`);
    expect(textsOf(newest)).toEqual(['seven']);
    const none = await one(id, `/messages?limit=2&after=${newest.body.newerCursor}`);
    expect(none.body).toEqual({
      data: [],
      olderCursor: newest.body.newerCursor,
      newerCursor: newest.body.newerCursor,
    });
    const back = await one(id, `/messages?limit=2&before=${newer.body.olderCursor}`);
    expect(textsOf(back)).toEqual(['number 4', 'number 3']);
  });

  it('say what they say, and nothing once they were taken back', async () => {
    const id = await make();
    const said = await insertMessage(service, id, { text: 'Grüße 🦷 "quoted"', platform_timestamp: ago(2) });
    await insertMessage(service, id, { text_sealed: null, deleted_at: new Date(), platform_timestamp: ago(1) });
    const { data } = (await one(id, '/messages')).body;
    expect(data).toMatchObject([
      { text: null, attachments: [], isReadable: true, deletedAt: expect.any(String) },
      { id: said, text: 'Grüße 🦷 "quoted"', direction: 'in', status: 'delivered', sentBy: null },
    ]);
  });

  it('that do not open do not keep the others from being read', async () => {
    const id = await make();
    await insertMessage(service, id, { text_sealed: 'v1.gone.x.x.x', platform_timestamp: ago(2) });
    await insertMessage(service, id, { text: 'this one opens', platform_timestamp: ago(1) });
    const { data } = (await one(id, '/messages')).body;
    expect(data).toMatchObject([
      { text: 'this one opens', isReadable: true },
      { text: null, isReadable: false },
    ]);
  });

  it('of a conversation in which nothing was said are none', async () => {
    expect((await one(await make(), '/messages')).body).toEqual({ data: [], olderCursor: null, newerCursor: null });
  });

  it('are not read with the cursor of another conversation, nor to both sides at once', async () => {
    const [id, other] = [await make(), await make()];
    await speak(id, 2);
    const { olderCursor, newerCursor } = (await one(id, '/messages?limit=1')).body;
    expect((await one(other, `/messages?before=${olderCursor}`)).body.code).toBe('invalid-cursor');
    expect((await one(id, `/messages?before=${olderCursor}&after=${newerCursor}`)).status).toBe(400);
  });
});

describe('Reading', () => {
  const read = (id: string) => service.call('POST', `/messenger/conversations/${id}/read`, { token: owner });
  const statusesOf = async (id: string) =>
    (await one(id, '/messages')).body.data.map(({ status }: { status: string }) => status);

  it('counts nothing as unread any more, and marks what came in, not what went out', async () => {
    const id = await make({ unread_count: 2 });
    await insertMessage(service, id, { platform_timestamp: ago(3) });
    await insertMessage(service, id, { platform_timestamp: ago(2) });
    await insertMessage(service, id, { direction: 'out', status: 'delivered', platform_timestamp: ago(1) });
    const answer = await read(id);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ unreadCount: 0, readAt: expect.any(String) });
    expect(await statusesOf(id)).toEqual(['delivered', 'read', 'read']);
  });

  it('twice changes nothing the second time', async () => {
    const id = await make({ unread_count: 1 });
    const first = await read(id);
    const second = await read(id);
    expect(second.body).toEqual(first.body);
  });

  it('leaves one line in the audit log, whatever it marks', async () => {
    const id = await make({ unread_count: 3 });
    for (const _ of [1, 2, 3]) await insertMessage(service, id);
    await read(id);
    const traces = await service.database.sql(
      `SELECT table_name, action FROM audit.events
        WHERE route LIKE 'POST %/read' AND (row_id = $1 OR table_name = 'public.messages')`,
      [id],
    );
    expect(traces).toEqual([{ table_name: 'public.conversations', action: 'update' }]);
  });

  const countUp = 'UPDATE conversations SET unread_count = unread_count + 1 WHERE id = $1';

  it('does not take away what comes in at the same time', async () => {
    const id = await make({ unread_count: 1 });
    const worker = new pg.Client(service.database.adminUrl);
    await worker.connect();
    await worker.query('BEGIN');
    await worker.query(insertUnseen, [id]);
    expect((await read(id)).body.unreadCount).toBe(0);
    await worker.query(countUp, [id]);
    await worker.query('COMMIT');
    await worker.end();
    expect((await one(id)).body.unreadCount).toBe(1);
    expect(await statusesOf(id)).toEqual(['delivered']);
  });

  it('waits for what is being counted, and reads that too', async () => {
    const id = await make({ unread_count: 1 });
    const worker = new pg.Client(service.database.adminUrl);
    await worker.connect();
    await worker.query('BEGIN');
    await worker.query(countUp, [id]);
    const reading = read(id);
    await worker.query(insertUnseen, [id]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await worker.query('COMMIT');
    await worker.end();
    expect((await reading).body.unreadCount).toBe(0);
    expect(await statusesOf(id)).toEqual(['read']);
  });
});

const insertUnseen = `
  INSERT INTO messages (owner_id, conversation_id, channel, direction, status, platform_message_id)
  SELECT owner_id, id, channel, 'in', 'delivered', 'm_' || id FROM conversations WHERE id = $1`;
