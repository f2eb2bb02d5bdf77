import { z } from 'zod';
import { type GraphClient, graphPath } from './graph-client.js';

/** Both are written to through the page: an Instagram account answers as the page that it is linked with. */
export type MessagingChannel = 'messenger' | 'instagram';

export interface OutgoingMessage {
  /** Facebook's id of the page, for both channels: the edge is `/{page-id}/messages`. */
  pageId: string;
  channel: MessagingChannel;
  /** A person who wrote (PSID or IGSID), or a comment that is answered in private. */
  recipient: { id: string } | { commentId: string };
  content: { text: string } | { attachment: { type: 'image' | 'file'; url: string } };
  /** Says that a person answers, later than a day after the customer wrote: allowed for seven days. */
  humanAgent?: boolean;
  /**
   * At most 1,000 characters. Messenger gives it back in the message's echo; Instagram's documented echoes do not show
   * it, so nothing may depend on it there.
   */
  metadata?: string | undefined;
}

export interface SentMessage {
  messageId: string;
  /** Of a private reply, the one way to learn who it went to. */
  recipientId: string | null;
}

export interface ParticipantProfile {
  name: string | null;
  /** Instagram alone. */
  username: string | null;
}

const Sent = z.object({ message_id: z.string().min(1), recipient_id: z.string().min(1).nullish() });
const Profile = z.object({ name: z.string().nullish(), username: z.string().nullish() });

const profileFields = { messenger: 'name', instagram: 'name,username' } as const;

/** The longest text of one message, as `lengthOfText` counts it. */
export const longestText = { messenger: 2_000, instagram: 1_000 } as const;

/**
 * The length that the channel's limit is about: Messenger counts characters, Instagram the bytes of UTF-8.
 *
 * https://developers.facebook.com/docs/messenger-platform/reference/send-api (`message.text`: 2,000 characters);
 * https://developers.facebook.com/docs/messenger-platform/instagram/features/send-message says both 'less than 1000
 * characters' and '1000 bytes or less': what keeps the second keeps the first.
 */
export function lengthOfText(channel: MessagingChannel, text: string): number {
  return channel === 'instagram' ? Buffer.byteLength(text) : text.length;
}

/**
 * Messages of pages and of the Instagram accounts linked with them, with the token of the page:
 * https://developers.facebook.com/docs/messenger-platform/reference/send-api and
 * https://developers.facebook.com/docs/messenger-platform/instagram/features/send-message
 */
export class MetaMessaging {
  constructor(private readonly graph: GraphClient) {}

  /**
   * Sends one message, once: it is never repeated, whatever answer comes or does not.
   *
   * A private reply (https://developers.facebook.com/docs/messenger-platform/instagram/features/private-replies) goes to
   * who commented, once for each comment and within seven days of it; it opens no window for further messages.
   *
   * @throws MetaFailure `outside-window`, `recipient-unavailable`; `unavailable` with `mayHaveHappened` when nobody knows
   */
  async send(pageToken: string, message: OutgoingMessage): Promise<SentMessage> {
    const { pageId, recipient, humanAgent = false } = message;
    const parameters = {
      recipient: JSON.stringify('id' in recipient ? { id: recipient.id } : { comment_id: recipient.commentId }),
      message: JSON.stringify({ ...bodyOf(message), metadata: message.metadata }),
      messaging_type: humanAgent ? 'MESSAGE_TAG' : 'RESPONSE',
      tag: humanAgent ? 'HUMAN_AGENT' : undefined,
    };
    const path = graphPath(pageId, 'messages');
    const sent = await this.graph.write({ path, family: 'messenger', token: pageToken, parameters }, Sent);
    return { messageId: sent.message_id, recipientId: sent.recipient_id ?? null };
  }

  /**
   * Who somebody is that wrote. Only of people who wrote: who merely commented has not consented to it.
   *
   * https://developers.facebook.com/docs/messenger-platform/identity/user-profile and
   * https://developers.facebook.com/docs/messenger-platform/instagram/features/user-profile
   */
  async profile(pageToken: string, participantId: string, channel: MessagingChannel): Promise<ParticipantProfile> {
    const parameters = { fields: profileFields[channel] };
    const call = { path: graphPath(participantId), family: 'messenger', token: pageToken, parameters } as const;
    const { name, username } = await this.graph.read(call, Profile);
    return { name: name || null, username: username || null };
  }
}

function bodyOf({ content }: OutgoingMessage): object {
  if ('text' in content) return { text: content.text };
  const { type, url } = content.attachment;
  return { attachment: { type, payload: { url, is_reusable: false } } };
}
