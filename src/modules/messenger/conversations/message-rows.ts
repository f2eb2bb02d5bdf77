import type { MessageState } from './message-states.js';
import type { MessageContent } from './message-texts.js';
import type { Message } from './messages.schemas.js';

/** A message as those see it who may: all but what it says, which rests sealed. */
export interface MessageRow {
  id: string;
  conversationId: string;
  channel: 'messenger' | 'instagram';
  direction: 'in' | 'out';
  kind: 'message' | 'postback';
  sentBy: 'user' | 'automation' | null;
  sentByUserId: string | null;
  status: MessageState;
  errorCode: string | null;
  tag: 'HUMAN_AGENT' | null;
  retryOf: string | null;
  reaction: string | null;
  platformMessageId: string | null;
  platformTimestamp: Date;
  deletedAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export const messageColumns = `id, conversation_id, channel, direction, kind, sent_by, sent_by_user_id, status,
  error_code, tag, retry_of, reaction, platform_message_id, platform_timestamp, deleted_at, created_at, updated_at`;

/** A message whose text was taken away between the two questions says nothing. */
const nothing: MessageContent = { text: null, attachments: [], isReadable: true };

export function withContent(row: MessageRow, content: MessageContent = nothing): Message {
  return { ...row, ...content };
}
