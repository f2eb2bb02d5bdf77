import { demoAddress } from '../../src/demo/demo.js';
import {
  conversationStates,
  conversationTransitions,
} from '../../src/modules/messenger/conversations/conversation-states.js';
import { messageStates, messageTransitions } from '../../src/modules/messenger/conversations/message-states.js';
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

const make = (columns: Record<string, unknown>) => insertConversation(service.database, ownerId, columns);
const patch = (id: string, body: object, headers: Record<string, string> = {}) =>
  service.call('PATCH', `/messenger/conversations/${id}`, { token: owner, body, headers });
const statusIn = async (table: string, id: string) =>
  (await service.database.sql(`SELECT status FROM ${table} WHERE id = $1`, [id]))[0]?.status;

describe('A conversation', () => {
  it.each(conversationStates)('goes from %s along the table of transitions, and nowhere else', async (from) => {
    for (const to of conversationStates) {
      const id = await make({ status: from });
      const answer = await patch(id, { status: to });
      const isAllowed = to === from || conversationTransitions[from].includes(to);
      expect([from, to, answer.status]).toEqual([from, to, isAllowed ? 200 : 409]);
      if (!isAllowed) expect(answer.body.code).toBe('conversation-closed');
      expect(await statusIn('conversations', id)).toBe(isAllowed ? to : from);
    }
  });

  it.each(conversationStates)('is guarded by the same table in the database, from %s', async (from) => {
    for (const to of conversationStates) {
      const id = await make({ status: from });
      const moving = service.database.sql('UPDATE conversations SET status = $2 WHERE id = $1', [id, to]);
      if (to === from || conversationTransitions[from].includes(to)) await expect(moving).resolves.toEqual([]);
      else await expect(moving).rejects.toMatchObject({ code: 'PC409', message: 'conversation-closed' });
    }
  });

  it('is changed by one of two who change the same version', async () => {
    const id = await make({});
    const read = await service.call('GET', `/messenger/conversations/${id}`, { token: owner });
    const version = { 'if-match': read.headers.get('etag') ?? '' };
    const first = await patch(id, { status: 'snoozed' }, version);
    const second = await patch(id, { status: 'closed' }, version);
    expect([first.status, second.status, second.body.code]).toEqual([200, 412, 'precondition-failed']);
    const third = await patch(id, { status: 'closed' }, { 'if-match': first.headers.get('etag') ?? '' });
    expect([third.status, third.body.status]).toEqual([200, 'closed']);
  });

  it('that is told what it is already stays the same version', async () => {
    const id = await make({ status: 'snoozed' });
    const first = await patch(id, {});
    const second = await patch(id, { status: 'snoozed', assignedTo: null });
    expect(second.headers.get('etag')).toBe(first.headers.get('etag'));
  });

  it.each([{ status: 'gone' }, { status: null }, { assignedTo: 'me' }, { ownerId: 'x' }, { patientId: null }, []])(
    'does not take %j',
    async (body) => expect((await patch(await make({}), body)).status).toBe(400),
  );
});

describe('A message', () => {
  it.each(messageStates)('goes from %s along the table of transitions, and nowhere else', async (from) => {
    const conversation = await make({});
    for (const to of messageStates) {
      const id = await insertMessage(service, conversation, { direction: 'out', status: from });
      const moving = service.database.sql('UPDATE messages SET status = $2 WHERE id = $1', [id, to]);
      if (to === from || messageTransitions[from].includes(to)) await expect(moving).resolves.toEqual([]);
      else await expect(moving).rejects.toMatchObject({ code: 'PC409', message: 'message-status-final' });
    }
  });
});
