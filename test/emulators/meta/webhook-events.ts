import type { Comment } from './comments.ts';
import type { Attachment, Message, Participant } from './conversations.ts';

/**
 * What Meta tells of conversations and comments, entry by entry.
 *
 * Sources: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
 * (messages, message-echoes, message-deliveries, message-reads, message-reactions, messaging_postbacks, standby),
 * https://developers.facebook.com/documentation/business-messaging/instagram-messaging/webhooks (the same of Instagram,
 * where echoes come as `messages`, a message is read by its id and one that is taken back is `is_deleted`),
 * https://developers.facebook.com/docs/instagram-platform/webhooks/examples (comments).
 */

/** An entry on its way: which field it belongs to decides whether it is told at all. */
export interface WebhookEvent {
  object: 'page' | 'instagram';
  field: string;
  entry: Entry;
}

export interface Entry {
  id: string;
  /** Milliseconds with messages, seconds with changes: so it is at Meta. */
  time: number;
  messaging?: object[];
  standby?: object[];
  changes?: { field: string; value: object }[];
}

export interface Envelope {
  person: Participant;
  at: number;
  /** Told while another app has the conversation. */
  isStandby?: boolean;
  /** In place of the place's own id: Instagram's events may name the page. */
  entryId?: string;
}

function fromPerson({ person, at, isStandby, entryId }: Envelope, field: string, content: object): WebhookEvent {
  const { place } = person;
  const event = { sender: { id: person.id }, recipient: { id: place.id }, timestamp: at, ...content };
  return {
    object: place.channel === 'messenger' ? 'page' : 'instagram',
    field: isStandby ? 'standby' : field,
    entry: { id: entryId ?? place.id, time: at, [isStandby ? 'standby' : 'messaging']: [event] },
  };
}

export function messageEvent(envelope: Envelope, message: Message, replyTo?: string): WebhookEvent {
  const content = {
    mid: message.mid,
    ...(message.text !== undefined && { text: message.text }),
    ...(message.attachments.length > 0 && { attachments: message.attachments }),
    ...(replyTo && { reply_to: { mid: replyTo } }),
  };
  return fromPerson(envelope, 'messages', { message: content });
}

export function deletionEvent(envelope: Envelope, mid: string): WebhookEvent {
  return fromPerson(envelope, 'messages', { message: { mid, is_deleted: true } });
}

export function postbackEvent(envelope: Envelope, postback: { mid: string; title: string; payload: string }) {
  return fromPerson(envelope, 'messaging_postbacks', { postback });
}

export interface Reaction {
  mid: string;
  action: 'react' | 'unreact';
  emoji: string;
}

/** Taken back, it has no emoji. */
export function reactionEvent(envelope: Envelope, { mid, action, emoji }: Reaction): WebhookEvent {
  const kind = action === 'react' && { reaction: 'other', emoji };
  return fromPerson(envelope, 'message_reactions', { reaction: { mid, action, ...kind } });
}

/** Messenger's alone: Instagram does not say that something has arrived. */
export function deliveryEvent(envelope: Envelope, mids: string[]): WebhookEvent {
  return fromPerson(envelope, 'message_deliveries', { delivery: { mids, watermark: envelope.at } });
}

/** Messenger says up to when, Instagram which. */
export function readEvent(envelope: Envelope, mid: string | undefined): WebhookEvent {
  const isMessenger = envelope.person.place.channel === 'messenger';
  if (isMessenger) return fromPerson(envelope, 'message_reads', { read: { watermark: envelope.at } });
  return fromPerson(envelope, 'messaging_seen', { read: { mid } });
}

/** What was sent comes back. Instagram's echo says neither which app sent it nor what the app wrote on it. */
export function echoEvent(person: Participant, message: Message, appId: string): WebhookEvent {
  const { channel, id } = person.place;
  const ofMessenger = { app_id: appId, ...(message.metadata !== undefined && { metadata: message.metadata }) };
  const content = {
    mid: message.mid,
    ...(message.text !== undefined && { text: message.text }),
    ...(message.attachments.length > 0 && { attachments: shown(message.attachments) }),
    is_echo: true,
    ...(channel === 'messenger' && ofMessenger),
  };
  const event = { sender: { id }, recipient: { id: person.id }, timestamp: message.at, message: content };
  return {
    object: channel === 'messenger' ? 'page' : 'instagram',
    field: channel === 'messenger' ? 'message_echoes' : 'messages',
    entry: { id, time: message.at, messaging: [event] },
  };
}

/** Meta keeps a file of its own: the address that was given does not come back. */
const shown = (attachments: Attachment[]): Attachment[] =>
  attachments.map(({ type }) => ({ type, payload: { url: `https://scontent.example/attachments/${type}` } }));

export function commentEvent(comment: Comment): WebhookEvent {
  const { id, accountId, mediaId, text, from, parentId, at } = comment;
  const value = {
    from,
    media: { id: mediaId, media_product_type: 'FEED' },
    id,
    ...(parentId && { parent_id: parentId }),
    text,
  };
  const entry = { id: accountId, time: Math.floor(at / 1000), changes: [{ field: 'comments', value }] };
  return { object: 'instagram', field: 'comments', entry };
}
