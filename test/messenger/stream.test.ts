import pg from 'pg';
import { demoAddress, demoPassword } from '../../src/demo/demo.js';
import { OpenStreams } from '../../src/modules/messenger/stream/open-streams.js';
import { type EventClient, openEvents, type StreamedEvent } from '../support/event-stream.js';
import { insertConversation, insertMessage, userOf } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';

let service: Service;
let owner: string;
let ownerId: string;
let clinicId: string;
let conversationId: string;
let clients: EventClient[] = [];

beforeAll(async () => {
  service = await startService({ variables: { META_HUMAN_AGENT: 'true' } });
  owner = await service.tokenOf(demoAddress('provider', 'northside'));
  ownerId = await userOf(service.database, demoAddress('provider', 'northside'));
  clinicId = (await service.call('GET', '/clinics', { token: owner })).body.data[0].id;
});
afterAll(() => service.stop());

beforeEach(async () => {
  conversationId = await insertConversation(service.database, ownerId, { clinic_id: clinicId });
});
afterEach(async () => {
  for (const client of clients) client.hangUp();
  clients = [];
  await until(() => service.application.get(OpenStreams).count === 0);
  await service.database.sql('DELETE FROM conversations');
});

async function open({ lastEventId, token = owner, at = service }: Opening = {}): Promise<EventClient> {
  const client = await openEvents(at.url, token, { ...(lastEventId !== undefined && { lastEventId }) });
  clients.push(client);
  await client.until(({ name }) => name === 'ready' || name === 'reset');
  return client;
}
interface Opening {
  lastEventId?: string;
  token?: string;
  at?: Service;
}

const say = (text: string, columns: Record<string, unknown> = {}) =>
  insertMessage(service, conversationId, { text, ...columns });
const saying = (text: string) => (event: StreamedEvent) => event.name === 'message' && event.data.text === text;
const textsOf = (client: EventClient) =>
  client.events.filter(({ name }) => name === 'message').map(({ data }) => data.text);
/** Time enough for what should not come. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 400));

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 15_000; !(await isSo()); ) {
    if (Date.now() > deadline) throw new Error('It does not come to that.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('A stream', () => {
  it('tells of a message as the list of messages has it, and of its conversation', async () => {
    const client = await open();
    expect([client.status, client.headers.get('content-type'), client.headers.get('cache-control')]).toEqual([
      ...[200, 'text/event-stream; charset=utf-8', 'no-store'],
    ]);
    await say('Grüße\n\ndata: 🦷');
    const { data } = await client.until(saying('Grüße\n\ndata: 🦷'));
    const listed = await service.call('GET', `/messenger/conversations/${conversationId}/messages`, { token: owner });
    expect([data]).toEqual(listed.body.data);

    await service.call('PATCH', `/messenger/conversations/${conversationId}`, {
      token: owner,
      body: { status: 'snoozed' },
    });
    const changed = await client.until(({ name, data }) => name === 'conversation' && data.status === 'snoozed');
    const read = await service.call('GET', `/messenger/conversations/${conversationId}`, { token: owner });
    expect(changed.data).toEqual(read.body);
  });

  it('tells of each change of a status', async () => {
    const id = await say('on its way', { direction: 'out', status: 'pending', sent_by: 'user' });
    const client = await open();
    for (const status of ['sent', 'delivered', 'read']) {
      await service.database.sql('UPDATE messages SET status = $2 WHERE id = $1', [id, status]);
      await client.until(({ data }) => data.id === id && data.status === status);
    }
  });

  it('tells nothing of what only the sender notes, or of a text that is sealed anew', async () => {
    const id = await say('as it was');
    const client = await open();
    await service.database.sql('UPDATE messages SET attempts = 3, text_sealed = text_sealed WHERE id = $1', [id]);
    await settled();
    expect(textsOf(client)).toEqual([]);
  });

  it('tells each message once while nobody is cut off', async () => {
    const client = await open();
    const texts = Array.from({ length: 120 }, (_, index) => `number ${index}`);
    await Promise.all(texts.map((text) => say(text)));
    await client.until(() => textsOf(client).length >= texts.length);
    await settled();
    expect(textsOf(client).sort()).toEqual(texts.sort());
  });

  it('holds no connection of the pool while it waits', async () => {
    await Promise.all(Array.from({ length: 3 }, () => open()));
    await until(async () => {
      const { text } = await service.call('GET', '//metrics');
      const [idle, total] = ['idle', 'total'].map(
        (state) => new RegExp(`polyclinic_pool_connections\\{state="${state}"\\} (\\d+)`).exec(text)?.[1],
      );
      return idle !== undefined && idle === total;
    });
  });
});

describe('Somebody who comes back', () => {
  it('is told of everything since, of status changes too', async () => {
    const first = await open();
    const early = await say('before');
    await first.until(saying('before'));
    await settled();
    first.hangUp();
    await say('meanwhile');
    await service.database.sql(`UPDATE messages SET status = 'read' WHERE id = $1`, [early]);
    const second = await open({ lastEventId: first.lastEventId() ?? '' });
    await second.until(saying('meanwhile'));
    await second.until(({ data }) => data.id === early && data.status === 'read');
    await settled();
    expect(textsOf(second).sort()).toEqual(['before', 'meanwhile']);
  });

  it('misses nothing of a transaction that began before and is committed after', async () => {
    const slow = new pg.Client(service.database.adminUrl);
    await slow.connect();
    await slow.query('BEGIN');
    await slow.query(writeLate, [conversationId]);
    const first = await open();
    await say('overtaking');
    await first.until(saying('overtaking'));
    await settled();
    first.hangUp();
    await first.ended();

    const second = await open({ lastEventId: first.lastEventId() ?? '' });
    await slow.query('COMMIT');
    await slow.end();
    await second.until(({ name, data }) => name === 'message' && data.platformMessageId === 'm_late');
    expect(textsOf(second)).not.toContain('overtaking');
  });

  it.each([
    'nonsense',
    '5',
    '9:3:',
    '10:20:25',
    '10:20:12,11',
    `1:${'9'.repeat(18)}:`,
    `1:2:${'1,'.repeat(9_000)}1`.slice(0, 8_100),
  ])('with %.20s reads anew', async (lastEventId) => {
    await say('long known');
    const client = await open({ lastEventId });
    expect(client.events.map(({ name }) => name)).toEqual(['reset']);
    await say('news');
    await client.until(saying('news'));
    expect(textsOf(client)).toEqual(['news']);
  });

  it('to a database that was restored from a dump is not told again and again of what stands in it', async () => {
    await say('of the server of before', { change_id: '900000000000' });
    const client = await open();
    await say('news');
    await client.until(saying('news'));
    await settled();
    expect(textsOf(client)).toEqual(['news']);
  });

  it('after more than one would tell one by one, reads anew', async () => {
    const { lastEventId } = await open();
    await service.database.sql(
      // As the worker, whose messages leave no trace each.
      `WITH work AS MATERIALIZED (SELECT set_config('app.route', 'process webhooks', true))
       INSERT INTO messages (owner_id, conversation_id, channel, direction, status, platform_message_id)
       SELECT owner_id, id, channel, 'in', 'delivered', 'm_' || n FROM conversations, work, generate_series(1, 10001) n
        WHERE id = $1`,
      [conversationId],
    );
    const client = await openEvents(service.url, owner, { lastEventId: lastEventId() ?? '' });
    clients.push(client);
    await client.until(({ name }) => name === 'reset');
    expect(textsOf(client)).toEqual([]);
  });
});

describe('A colleague', () => {
  const staff = () => service.tokenOf(demoAddress('staff', 'northside'));
  const staffId = () => userOf(service.database, demoAddress('staff', 'northside'));
  const assign = (assignedTo: string | null) =>
    service.call('PATCH', `/messenger/conversations/${conversationId}`, { token: owner, body: { assignedTo } });

  it('is told of what they were handed, from then on and until it is taken back, and leaves a trace', async () => {
    const client = await open({ token: await staff() });
    await say('of the owner alone');
    await settled();
    expect(client.events.map(({ name }) => name)).toEqual(['ready']);

    await assign(await staffId());
    await client.until(({ name, data }) => name === 'conversation' && data.id === conversationId);
    await say('for both');
    await client.until(saying('for both'));
    const traces = await service.database.sql(
      `SELECT FROM audit.events WHERE action = 'read' AND row_id = $1 AND actor_id = $2 AND route LIKE '%/stream'`,
      [conversationId, await staffId()],
    );
    expect(traces.length).toBeGreaterThanOrEqual(2);

    await assign(null);
    await say('of the owner again');
    await settled();
    expect(textsOf(client)).toContain('for both');
    expect(client.text()).not.toContain('of the owner again');
  });

  it('who was handed nothing hears nothing, wherever they work', async () => {
    const others = ['owner', 'clinic_admin', 'viewer'].map((role) => demoAddress(role, 'northside'));
    const addresses = [...others, demoAddress('provider', 'southbank')];
    const all = await Promise.all(addresses.map(async (address) => open({ token: await service.tokenOf(address) })));
    const own = await open();
    await say('not for you');
    await own.until(saying('not for you'));
    await settled();
    expect(all.map(({ events }) => events.map(({ name }) => name))).toEqual(addresses.map(() => ['ready']));
    expect(all.map((client) => client.text()).join()).not.toContain('not for you');
  });
});

describe('A stream ends', () => {
  it('when there are more than three of one user, the oldest first', async () => {
    const all = [await open(), await open(), await open(), await open()];
    const [oldest, ...others] = all as [EventClient, ...EventClient[]];
    expect((await oldest.until(({ name }) => name === 'end')).data).toEqual({ code: 'replaced' });
    expect(await oldest.ended()).toBe('ended');
    await say('for the three');
    await Promise.all(others.map((client) => client.until(saying('for the three'))));
    expect(textsOf(oldest)).toEqual([]);
  });

  it('when its client hangs up, and is forgotten', async () => {
    const streams = service.application.get(OpenStreams);
    const client = await open();
    expect(streams.count).toBe(1);
    client.hangUp();
    await until(() => streams.count === 0);
  });

  it('when its user logs out, before anything more is told', async () => {
    const login = await service.call('POST', '/auth/login', { body: credentials });
    const client = await open({ token: login.body.accessToken });
    await service.call('POST', '/auth/logout', { token: login.body.accessToken });
    await say('after the log-out');
    expect((await client.until(({ name }) => name === 'end')).data).toEqual({ code: 'session-ended' });
    expect(await client.ended()).toBe('ended');
    expect(textsOf(client)).toEqual([]);
    await until(() => service.application.get(OpenStreams).count === 0);
  });

  it('when the service stops, which does not wait for it', async () => {
    const other = await startService({ database: service.database });
    const client = await open({ at: other, token: await other.tokenOf(demoAddress('provider', 'northside')) });
    const began = Date.now();
    const stopping = other.stop();
    expect((await client.until(({ name }) => name === 'end')).data).toEqual({ code: 'stopping' });
    await stopping;
    expect(Date.now() - began).toBeLessThan(8_000);
    expect(await client.ended()).toBe('ended');
  });
});

describe('Refused', () => {
  it('are those who are not logged in', async () => {
    const answer = await service.call('GET', '/messenger/stream');
    expect([answer.status, answer.body.code]).toEqual([401, 'unauthenticated']);
  });

  it('are those whose session has ended, before the first byte', async () => {
    const login = await service.call('POST', '/auth/login', { body: credentials });
    await service.call('POST', '/auth/logout', { token: login.body.accessToken });
    const answer = await service.call('GET', '/messenger/stream', { token: login.body.accessToken });
    expect([answer.status, answer.body.code]).toEqual([401, 'session-ended']);
    expect(answer.headers.get('content-type')).toMatch('application/problem+json');
  });

  it('is nobody who asks for the head alone, who is not kept either', async () => {
    const answer = await service.call('HEAD', '/messenger/stream', { token: owner });
    expect([answer.status, answer.text]).toEqual([200, '']);
    await until(() => service.application.get(OpenStreams).count === 0);
  });
});

it('Two services on one database tell of each other’s messages', async () => {
  const other = await startService({ database: service.database });
  const client = await open({ at: other, token: await other.tokenOf(demoAddress('provider', 'northside')) });
  await service.call('PATCH', `/messenger/conversations/${conversationId}`, {
    token: owner,
    body: { status: 'closed' },
  });
  const began = Date.now();
  await client.until(({ name, data }) => name === 'conversation' && data.status === 'closed');
  // Not by the look of each fifteen seconds.
  expect(Date.now() - began).toBeLessThan(10_000);
  client.hangUp();
  await other.stop();
});

const credentials = { email: demoAddress('provider', 'northside'), password: demoPassword };

const writeLate = `
  INSERT INTO messages (owner_id, conversation_id, channel, direction, status, platform_message_id)
  SELECT owner_id, id, channel, 'in', 'delivered', 'm_late' FROM conversations WHERE id = $1`;
