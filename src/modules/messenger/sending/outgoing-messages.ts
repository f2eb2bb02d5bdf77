import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import type { MessagingChannel } from '../../../integrations/meta/meta-messaging.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { MessageTexts } from '../conversations/message-texts.js';
import { SendQueue } from './send-queue.js';

/** What is to be said, and on whose account. Exactly one of `text` and `attachment`. */
export interface Outgoing {
  conversationId: string;
  ownerId: string;
  channel: MessagingChannel;
  text?: string | undefined;
  attachment?: { type: 'image' | 'file'; url: string } | undefined;
  sentBy: 'user' | 'automation';
  /** Who wrote it, where that was a person. */
  userId?: string | undefined;
  tag?: 'HUMAN_AGENT' | undefined;
  /** The failed message in whose place it is sent. */
  retryOf?: string | undefined;
}

/** The one door through which messages leave: queued here, sent by a job, once or known to be unknown. */
@Injectable()
export class OutgoingMessages {
  constructor(
    private readonly database: Database,
    private readonly texts: MessageTexts,
    private readonly queued: SendQueue,
  ) {}

  /** In the caller's transaction, with the job that sends it: both exist exactly if it is committed. */
  async queue(message: Outgoing): Promise<{ id: string }> {
    const { conversationId, ownerId, channel, sentBy, userId = null, tag = null, retryOf = null } = message;
    const id = uuidv7();
    const values = [id, ownerId, conversationId, channel, ...this.sealed(id, message), sentBy, userId, tag, retryOf];
    await this.database.query(insertMessage, values);
    await this.queued.enqueue(conversationId);
    return { id };
  }

  private sealed(id: string, { text, attachment }: Outgoing): [string | null, string | null] {
    return [
      text === undefined ? null : this.texts.seal(id, text),
      attachment ? this.texts.sealAttachments(id, [attachment]) : null,
    ];
  }
}

const insertMessage = `
  INSERT INTO public.messages
    (id, owner_id, conversation_id, channel, direction, status, text_sealed, attachments_sealed, sent_by,
     sent_by_user_id, tag, retry_of)
  VALUES ($1, $2, $3, $4, 'out', 'pending', $5, $6, $7, $8, $9, $10)`;
