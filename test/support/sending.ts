import { setTimeout as pause } from 'node:timers/promises';
import { demoAddress } from '../../src/demo/demo.js';
import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { type Echo, Echoes } from '../../src/modules/messenger/sending/echoes.js';
import type { TestDatabase } from './database.js';
import { insertConnection, insertConversation, insertInstagram } from './messenger.js';
import type { Meta } from './meta.js';
import { GraphClientOfTests } from './meta-graph.js';
import type { Answer, Service } from './service.js';

/** A page with its Instagram account at the emulator, both connected for messages by one person. */
export interface Practice {
  email: string;
  ownerId: string;
  pageId: string;
  instagramId: string;
}

/** Where somebody has written to. */
export interface Talk {
  id: string;
  practice: Practice;
  channel: 'messenger' | 'instagram';
  /** Of the page or account: what the emulator tells messages by. */
  placeId: string;
  participantId: string;
}

const scopes = [
  ...['pages_show_list', 'pages_manage_metadata', 'pages_messaging', 'pages_read_engagement', 'business_management'],
  ...['instagram_basic', 'instagram_manage_messages', 'instagram_manage_comments'],
];
const longestWaitMs = 20_000;

export async function openPractice(
  meta: Meta,
  service: Service,
  { role = 'owner', columns = {} as Record<string, unknown> } = {},
): Promise<Practice> {
  const email = demoAddress(role, 'northside');
  const name = `Practice of ${role}`;
  const personId = await meta.person(`${name} ${Math.random()}`);
  const { id: pageId, instagramId } = await meta.page({ personId, name, instagram: { username: `a${Date.now()}` } });
  const user = await meta.userToken(personId, { scopes, pageIds: [pageId] });
  const token = await new GraphClientOfTests(meta).pageToken(user, pageId);
  const { ownerId } = await insertConnection(service, email, { token, page_id: pageId, ...columns });
  const ids = { instagram_page_id: instagramId, facebook_page_id: pageId };
  await service.database.sql('DELETE FROM doctor_instagram WHERE doctor_id = $1', [ownerId]);
  await insertInstagram(service, email, { token, ...ids });
  return { email, ownerId, pageId, instagramId: instagramId ?? '' };
}

/** Somebody has just written, or at the time that is given, and nobody has answered yet. */
export async function hearFrom(
  meta: Meta,
  service: Service,
  practice: Practice,
  from: string,
  { channel = 'messenger' as Talk['channel'], at = new Date(), columns = {} as Record<string, unknown> } = {},
): Promise<Talk> {
  const placeId = channel === 'messenger' ? practice.pageId : practice.instagramId;
  const { participantId } = await meta.write({
    pageId: placeId,
    from,
    text: 'Hello',
    at: at.getTime(),
    deliver: false,
  });
  const id = await insertConversation(service.database, practice.ownerId, {
    ...{ channel, page_id: placeId, participant_id: participantId, participant_name: from },
    ...{ last_message_at: at, last_customer_message_at: at },
    ...columns,
  });
  return { id, practice, channel, placeId, participantId };
}

export async function say(
  service: Service,
  { id, practice }: Talk,
  body: string | Record<string, unknown>,
  { email = practice.email, headers = {} as Record<string, string> } = {},
): Promise<Answer> {
  const token = await service.tokenOf(email);
  const given = typeof body === 'string' ? { text: body } : body;
  return service.call('POST', `/messenger/conversations/${id}/messages`, { token, headers, body: given });
}

/** Queued, and nothing else could have happened. @returns the message's id */
export async function queued(service: Service, talk: Talk, body: string | Record<string, unknown>): Promise<string> {
  const answer = await say(service, talk, body);
  if (answer.status !== 202) throw new Error(`It was not queued: ${answer.text}`);
  return answer.body.id;
}

export interface MessageRow {
  id: string;
  conversation_id: string;
  direction: string;
  status: string;
  error_code: string | null;
  platform_message_id: string | null;
  platform_timestamp: Date;
  sent_by: string | null;
  attempts: number;
  next_attempt_at: Date | null;
  send_started_at: Date | null;
  doubted_at: Date | null;
  attempt_id: string | null;
  retry_of: string | null;
}

export async function messageRow(database: TestDatabase, id: string): Promise<MessageRow> {
  const [row] = await database.sql<MessageRow>('SELECT * FROM messages WHERE id = $1', [id]);
  if (!row) throw new Error(`There is no message ${id}.`);
  return row;
}

export const messagesOf = (database: TestDatabase, { id }: Talk): Promise<MessageRow[]> =>
  database.sql<MessageRow>('SELECT * FROM messages WHERE conversation_id = $1 ORDER BY created_at, id', [id]);

/** Waits until a message is as it should become, and says how it is when it does not. */
export async function becomes(
  database: TestDatabase,
  id: string,
  isSo: (message: MessageRow) => boolean,
  { hastened = false, patienceMs = longestWaitMs } = {},
): Promise<MessageRow> {
  const deadline = Date.now() + patienceMs;
  for (let round = 1; ; round += 1) {
    const message = await messageRow(database, id);
    if (isSo(message)) return message;
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${JSON.stringify(message)}`);
    await pause(50);
    if (hastened && round % 5 === 0) await hasten(database, message.conversation_id);
  }
}

export const isSent = ({ status }: MessageRow): boolean => status === 'sent';
export const isFailed = ({ status }: MessageRow): boolean => status === 'failed';
export const isInDoubt = ({ status, doubted_at }: MessageRow): boolean => status === 'pending' && doubted_at !== null;
export const isPutOff = ({ status, next_attempt_at, attempt_id, send_started_at }: MessageRow): boolean =>
  status === 'pending' && attempt_id === null && next_attempt_at !== null && send_started_at === null;

/** As the time that a conversation waits for, or a dead worker's lease; what is in the hands of a worker is left there. */
export async function hasten(database: TestDatabase, conversationId: string): Promise<void> {
  const isHeld = `EXISTS (SELECT FROM graphile_worker._private_jobs
                           WHERE key = 'messenger.send:' || $1::text AND locked_at IS NOT NULL)`;
  await database.sql(
    `UPDATE messages SET next_attempt_at = least(next_attempt_at, now()), doubted_at = doubted_at - interval '10 seconds'
      WHERE conversation_id = $1::uuid AND status = 'pending' AND NOT ${isHeld}`,
    [conversationId],
  );
  await enqueueSending(database, conversationId);
}

export async function enqueueSending(database: TestDatabase, conversationId: string): Promise<void> {
  await database.sql(
    `SELECT graphile_worker.add_job('messenger.send', json_build_object('conversationId', $1::text),
       job_key => 'messenger.send:' || $1, max_attempts => 10)`,
    [conversationId],
  );
}

/** Ten minutes without an echo have gone by, and the minute's scan has come. */
export async function giveUp(database: TestDatabase, messageId: string): Promise<void> {
  await database.sql(`UPDATE messages SET doubted_at = now() - interval '11 minutes' WHERE id = $1`, [messageId]);
  await database.sql(`SELECT graphile_worker.add_job('messenger.find-unsent', '{}')`);
}

/** What stands in the conversation at Meta that came from us, in its order. */
export async function standing(meta: Meta, { placeId, participantId }: Talk): Promise<string[]> {
  const sent = await meta.sent(placeId);
  return sent.filter((each) => each.participantId === participantId).map(({ text }) => text ?? '(a file)');
}

/** As the worker of the inbox tells of what Meta says was sent in a conversation. */
export async function tellEchoes(service: Service, talk: Talk, told: readonly Partial<Echo>[]): Promise<void> {
  const { id: conversationId, channel, practice } = talk;
  const nothing = { metadata: null, appId: null, text: null, attachments: [], at: new Date() };
  const echoes = told.map((each, index) => ({
    ...{ conversationId, ownerId: practice.ownerId, channel, mid: `mid-${Date.now()}-${index}`, ...nothing },
    ...each,
  }));
  const transactions = service.application.get(Transactions, { strict: false });
  await transactions.runAs({ service: 'process webhooks' }, () =>
    service.application.get(Echoes, { strict: false }).settle(echoes),
  );
}
