import type { Connected } from '../connections/connected-pages.js';
import type { Attachment } from '../conversations/message-texts.js';
import { attachmentsOf, MessagingItem } from './messaging-item.js';
import type { StoredEvent } from './webhook-event.js';

/** An event that was taken from the inbox, with what it says. */
export interface OpenedEvent {
  id: string;
  object: 'page' | 'instagram';
  pageId: string;
  lane: number;
  attempts: number;
  receivedAt: Date;
  payload: StoredEvent;
}

/** Who talks with whom. */
export interface Party {
  connected: Connected;
  participantId: string;
}

/** What a message says. */
interface Said {
  text: string | null;
  attachments: Attachment[];
}

/** What an event means. `at` is the platform's time, by which everything is ordered. */
export type Meaning =
  | ({ kind: 'message'; mid: string; isStandby: boolean } & Said)
  | ({ kind: 'postback'; mid: string | null; isStandby: boolean } & Said)
  | ({ kind: 'echo'; mid: string; metadata: string | null; appId: string | null } & Said)
  | { kind: 'deletion'; mid: string; isOurs: boolean }
  | { kind: 'reaction'; mid: string; reaction: string | null }
  | { kind: 'delivery'; mids: string[]; watermark: Date | null }
  | { kind: 'read'; mid: string | null; watermark: Date | null };

/** An event that concerns one conversation. */
export type Meant<Kind extends Meaning['kind'] = Meaning['kind']> = Extract<Meaning, { kind: Kind }> & {
  id: string;
  at: Date;
  party: Party;
};

export type Understood = Meant | { kind: 'comment'; connected: Connected; change: unknown } | { kind: 'unknown' };

/** What it means at the place whose it is. What nobody here understands is `unknown`, which is no failure. */
export function understand(event: OpenedEvent, connected: Connected): Understood {
  const { field, event: item } = event.payload;
  if (field === 'changes') return isComment(event) ? { kind: 'comment', connected, change: item } : { kind: 'unknown' };
  const parsed = MessagingItem.safeParse(item);
  if (!parsed.success) return { kind: 'unknown' };
  const ours = new Set([event.pageId, connected.pageId, connected.facebookPageId]);
  const isOurs = parsed.data.message?.is_echo === true || ours.has(parsed.data.sender.id);
  const participantId = isOurs ? parsed.data.recipient?.id : parsed.data.sender.id;
  const meaning = meaningOf(parsed.data, { isOurs, isStandby: field === 'standby' });
  // Whoever writes to themselves from their own account is no customer.
  if (!meaning || participantId === undefined || ours.has(participantId)) return { kind: 'unknown' };
  const at = parsed.data.timestamp ?? event.receivedAt;
  return { ...meaning, id: event.id, at, party: { connected, participantId } };
}

function isComment({ object, payload }: OpenedEvent): boolean {
  const { event } = payload;
  return object === 'instagram' && typeof event === 'object' && event !== null && 'field' in event
    ? event.field === 'comments'
    : false;
}

function meaningOf(item: MessagingItem, by: { isOurs: boolean; isStandby: boolean }): Meaning | undefined {
  const { message, postback, reaction, delivery, read } = item;
  if (message) return meaningOfMessage(message, by);
  if (postback) {
    const { mid = null, title = null } = postback;
    return by.isOurs ? undefined : { kind: 'postback', mid, text: title, attachments: [], isStandby: by.isStandby };
  }
  if (reaction) {
    const sign = reaction.emoji ?? reaction.reaction ?? 'other';
    return { kind: 'reaction', mid: reaction.mid, reaction: reaction.action === 'react' ? sign : null };
  }
  if (delivery) return { kind: 'delivery', mids: delivery.mids, watermark: delivery.watermark ?? null };
  return read && { kind: 'read', mid: read.mid ?? null, watermark: read.watermark ?? null };
}

function meaningOfMessage(
  message: NonNullable<MessagingItem['message']>,
  { isOurs, isStandby }: { isOurs: boolean; isStandby: boolean },
): Meaning {
  const { mid, text = null, metadata = null, app_id: appId = null } = message;
  if (message.is_deleted) return { kind: 'deletion', mid, isOurs };
  const said = { mid, text, attachments: attachmentsOf(message) };
  return isOurs ? { kind: 'echo', ...said, metadata, appId } : { kind: 'message', ...said, isStandby };
}
