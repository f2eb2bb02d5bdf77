import { setTimeout as pause } from 'node:timers/promises';
import { post, type Spoiling, type Style, signed, styled } from './callbacks.ts';
import type { Attachment, Message, Participant } from './conversations.ts';
import { messageId } from './conversations.ts';
import type { MetaState } from './meta-state.ts';
import { tell } from './telling.ts';
import * as events from './webhook-events.ts';
import type { Settings } from './webhooks.ts';

/** The strings that are pulled where people write and comment, and where Meta tells of it. */

export interface Written {
  /** A page, or an Instagram account. */
  pageId: string;
  /** The person's name: the same name is the same person there. */
  from: string;
  /** The person's id there, made of place and name unless given. */
  participantId?: string;
  kind?: 'message' | 'postback' | 'reaction' | 'deletion' | 'read' | 'delivery';
  /** Of a postback: what the button is called. */
  text?: string;
  attachments?: Attachment[];
  /** The message's own id, made unless given; of a reaction, deletion or receipt that of the message it is about. */
  mid?: string;
  /** Of a postback. */
  payload?: string;
  /** Of a reaction; taken back without one. */
  emoji?: string;
  replyTo?: string;
  /** Milliseconds, or a time as text. */
  at?: number | string;
  standby?: boolean;
  /** In place of the place's own id: Instagram's events may name the page. */
  entryId?: string;
  /** Whether Meta tells of it: so it does unless it is false. */
  deliver?: boolean;
}

export interface Commented {
  instagramId: string;
  from: string;
  text: string;
  mediaId?: string;
  parentId?: string;
  at?: number | string;
  deliver?: boolean;
}

export interface Delivered {
  url: string;
  payload?: unknown;
  /** Exactly this text, or these bytes. */
  rawBody?: string;
  rawBase64?: string;
  secret?: string;
  style?: Style;
  spoil?: Spoiling;
}

type Given = Record<string, unknown>;

export const messagingControls: Record<string, (stage: { state: MetaState }, given: Given) => unknown> = {
  'POST write': ({ state }, given) => write(state, given as unknown as Written),
  'POST write/many': ({ state }, { events: all }) => (all as Written[]).map((given) => write(state, given)),
  'POST comment': ({ state }, given) => comment(state, given as unknown as Commented),
  'POST block': ({ state }, { pageId, from, isBlocked = true }) => {
    const { conversations } = state;
    conversations.person(conversations.place(String(pageId)), String(from)).hasBlocked = isBlocked === true;
  },
  'GET messages': ({ state }, { pageId }) =>
    state.conversations.ofPlace(pageId as string | undefined).map((each) => shown(state, each)),
  'GET places': ({ state: { world } }) => [
    ...[...world.pages.values()].map(({ id, name }) => ({ id, name })),
    ...[...world.instagram.values()].map(({ id, username }) => ({ id, name: username })),
  ],
  'GET comments': ({ state }, { instagramId }) =>
    [...state.comments.all.values()].filter(({ accountId }) => !instagramId || accountId === instagramId),
  'POST webhooks': ({ state }, given) => deliver(state, given as unknown as Delivered),
  'POST webhooks/callback': ({ state }, { url, verifyToken }) =>
    state.webhooks.verify(String(url), String(verifyToken)),
  'POST webhooks/settings': ({ state }, given) => state.webhooks.set(given as Partial<Settings>),
  'GET webhooks/deliveries': ({ state }) => state.webhooks.deliveries,
  'POST webhooks/settle': ({ state }, { timeoutMs = 20_000 }) => settle(state, Number(timeoutMs)),
};

function write(state: MetaState, given: Written): object {
  const { conversations } = state;
  const person = conversations.person(conversations.place(given.pageId), given.from, given.participantId);
  const { mid, event } = happening(state, person, given);
  if (given.deliver !== false) tell(state, event, person.place.id);
  return { mid, participantId: person.id, payload: { object: event.object, entry: [event.entry] } };
}

function happening(state: MetaState, person: Participant, given: Written): { mid: string; event: events.WebhookEvent } {
  const { conversations } = state;
  const at = timeOf(state, given.at);
  const envelope = { person, at, isStandby: given.standby, entryId: given.entryId };
  const about = given.mid ?? conversations.lastSentTo(person)?.mid ?? '';
  switch (given.kind ?? 'message') {
    case 'message': {
      const message = conversations.add(person, { ...given, direction: 'in', at });
      conversations.heardFrom(person, at);
      return { mid: message.mid, event: events.messageEvent(envelope, message, given.replyTo) };
    }
    case 'postback': {
      conversations.heardFrom(person, at);
      const mid = given.mid ?? messageId(person.place.channel);
      const postback = { mid, title: given.text ?? 'Get started', payload: given.payload ?? 'GET_STARTED' };
      return { mid, event: events.postbackEvent(envelope, postback) };
    }
    case 'reaction': {
      conversations.heardFrom(person, at);
      const action = given.emoji ? 'react' : 'unreact';
      return { mid: about, event: events.reactionEvent(envelope, { mid: about, action, emoji: given.emoji ?? '' }) };
    }
    case 'deletion':
      for (const message of conversations.messages) if (message.mid === about) message.isDeleted = true;
      return { mid: about, event: events.deletionEvent(envelope, about) };
    case 'delivery':
      return { mid: about, event: events.deliveryEvent(envelope, about ? [about] : []) };
    case 'read':
      return { mid: about, event: events.readEvent(envelope, about) };
  }
}

function comment(state: MetaState, { instagramId, from, at, deliver: isTold, ...given }: Commented): object {
  const { conversations } = state;
  const person = conversations.person(conversations.place(instagramId), from);
  const { id, username } = person;
  const made = state.comments.add({
    ...{ ...given, accountId: instagramId, at: timeOf(state, at), from: { id, username } },
  });
  const event = events.commentEvent(made);
  if (isTold !== false) tell(state, event, instagramId);
  const payload = { object: event.object, entry: [event.entry] };
  return { commentId: made.id, mediaId: made.mediaId, participantId: id, payload };
}

/** Exactly these bytes, signed as they are or wrongly. */
function deliver(state: MetaState, given: Delivered): Promise<object> {
  const { url, payload, rawBody, rawBase64, style = 'compact', secret = state.tokens.app.secret, spoil } = given;
  const raw = rawBase64 === undefined ? rawBody : Buffer.from(rawBase64, 'base64');
  const body = raw === undefined ? styled(payload, style) : Buffer.from(raw as string);
  return post(url, body, signed(body, secret, spoil));
}

async function settle({ webhooks }: MetaState, timeoutMs: number): Promise<object> {
  const end = Date.now() + timeoutMs;
  while (webhooks.pending > 0 && Date.now() < end) await pause(20);
  return { pending: webhooks.pending };
}

const timeOf = ({ world }: MetaState, at: number | string | undefined): number =>
  at === undefined ? world.now() : new Date(at).getTime();

function shown({ conversations }: MetaState, message: Message): object {
  const from = conversations.participants.get(message.participantId)?.name;
  return { ...message, participantName: from, at: new Date(message.at).toISOString() };
}
