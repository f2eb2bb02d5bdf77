import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { type EventClient, openEvents } from '../support/event-stream.js';
import { insertConversation, userOf } from '../support/messenger.js';
import { type OwnServer, startOwnServer } from '../support/own-server.js';
import { type Service, startService } from '../support/service.js';

let server: OwnServer;
let services: Service[];

beforeAll(async () => {
  server = await startOwnServer();
  services = [await startService({ database: server.database }), await startService({ database: server.database })];
});
afterAll(async () => {
  for (const service of services) await service.stop();
  await server.stop();
});

const listening = async (service: Service, lastEventId?: string): Promise<EventClient> => {
  const token = await service.tokenOf(demoAddress('provider', 'northside'));
  return openEvents(service.url, token, { ...(lastEventId !== undefined && { lastEventId }) });
};
const namesIn = (...clients: EventClient[]) =>
  new Set(
    clients
      .flatMap(({ events }) => events.filter(({ name }) => name === 'message'))
      .map(({ data }) => data.platformMessageId),
  );

describe('Streams of two services while the database crashes twice', () => {
  it('stay open, or go on where they were, and miss nothing of 300 messages', async () => {
    const { database } = server;
    const ownerId = await userOf(database, demoAddress('provider', 'northside'));
    const conversationId = await insertConversation(database, ownerId);
    const [near, far] = services as [Service, Service];
    const steady = await listening(near);
    const restless = [await listening(far)];
    await Promise.all([steady, ...restless].map((client) => client.until(({ name }) => name === 'ready')));

    for (let index = 0; index < 300; index += 1) {
      // Each is there for certain before the next: one that the crash took is written again.
      await database.sql(write, [conversationId, `m_${index}`]);
      if (index === 100 || index === 200) await server.crash();
      if (index % 70 === 69) restless.push(await comeBack(far, restless.at(-1) as EventClient));
    }

    const expected = Array.from({ length: 300 }, (_, index) => `m_${index}`).sort();
    await whenAll(() => namesIn(steady).size === 300 && namesIn(...restless).size === 300);
    expect([...namesIn(steady)].sort()).toEqual(expected);
    expect([...namesIn(...restless)].sort()).toEqual(expected);
    expect(steady.events.filter(({ name }) => name === 'reset' || name === 'end')).toEqual([]);
    for (const client of [steady, ...restless]) client.hangUp();
  });

  it('are told at once again afterwards', async () => {
    const [near, far] = services as [Service, Service];
    const clients = [await listening(near), await listening(far)];
    for (const client of clients) await client.until(({ name }) => name === 'ready');
    const ownerId = await userOf(server.database, demoAddress('provider', 'northside'));
    const id = await insertConversation(server.database, ownerId);
    await Promise.all(clients.map((client) => client.until(({ data }) => data.id === id, 10_000)));
    for (const client of clients) client.hangUp();
  });
});

/** As a client does whose connection breaks: with the last id that it read. */
async function comeBack(service: Service, earlier: EventClient): Promise<EventClient> {
  earlier.hangUp();
  await earlier.ended();
  for (;;) {
    const client = await listening(service, earlier.lastEventId());
    if (client.status === 200) return client;
    await pause(100);
  }
}

async function whenAll(isSo: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !isSo() && Date.now() < deadline; ) await pause(50);
}

const write = `
  INSERT INTO messages (owner_id, conversation_id, channel, direction, status, platform_message_id)
  SELECT owner_id, id, channel, 'in', 'delivered', $2 FROM conversations WHERE id = $1
  ON CONFLICT (channel, platform_message_id) DO NOTHING`;
