import { Injectable } from '@nestjs/common';
import type { MessagingChannel } from '../../../integrations/meta/meta-messaging.js';

/** What is to be said, and on whose account. Exactly one of `text` and `attachment`. */
export interface Outgoing {
  conversationId: string;
  ownerId: string;
  channel: MessagingChannel;
  text?: string;
  attachment?: { type: 'image' | 'file'; url: string };
  sentBy: 'user' | 'automation';
  /** Who wrote it, where that was a person. */
  userId?: string;
  tag?: 'HUMAN_AGENT';
}

/** The one door through which messages leave: queued here, sent by a job, once or known to be unknown. */
@Injectable()
export class OutgoingMessages {
  /** In the caller's transaction, with the job that sends it: both exist exactly if it is committed. */
  queue(_message: Outgoing): Promise<{ id: string }> {
    throw new Error('Messages are not sent yet.');
  }
}
