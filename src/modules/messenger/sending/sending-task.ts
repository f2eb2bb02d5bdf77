import type { MessagingChannel, OutgoingMessage } from '../../../integrations/meta/meta-messaging.js';
import type { MessageContent, SealedContent } from '../conversations/message-texts.js';

/** All that is known of a message once a worker has claimed it. */
export interface SendingTask extends SealedContent {
  /** Names the claim: what another worker has claimed since is left alone. */
  attemptId: string;
  conversationId: string;
  ownerId: string;
  channel: MessagingChannel;
  /** The page, or the Instagram account, that answers. */
  pageId: string;
  participantId: string;
  tag: 'HUMAN_AGENT' | null;
  /** How often it failed in a way that is worth another try. */
  attempts: number;
  lastCustomerMessageAt: Date | null;
  /** Set from when the one call that sends it has begun. */
  sendStartedAt: Date | null;
}

export type OutgoingContent = OutgoingMessage['content'];

/** What a message says, in a form that Meta takes; undefined where nothing of it can be read. */
export function outgoingContent({ text, attachments, isReadable }: MessageContent): OutgoingContent | undefined {
  if (!isReadable) return undefined;
  if (text !== null) return { text };
  const [attachment] = attachments;
  if (!attachment?.url) return undefined;
  return { attachment: { type: attachment.type === 'image' ? 'image' : 'file', url: attachment.url } };
}
