import { Injectable } from '@nestjs/common';
import type { MessagingChannel } from '../../../integrations/meta/meta-messaging.js';

/** What Meta tells of a message that left the page or account, whoever wrote it. */
export interface Echo {
  conversationId: string;
  ownerId: string;
  channel: MessagingChannel;
  /** Meta's id of the message. */
  mid: string;
  /** What we gave along: the message's own id. Null where Meta does not give it back, and of what others wrote. */
  metadata: string | null;
  /** The app that sent it, where Meta says so. */
  appId: string | null;
  text: string | null;
  attachments: { type: string; url: string | null }[];
  /** The platform's time. */
  at: Date;
}

/** Settles from echoes what became of messages whose answer was lost, and keeps what was written in Meta's own inbox. */
@Injectable()
export class Echoes {
  /** In the transaction of the batch that they came in. None of them is ever answered. */
  settle(_echoes: readonly Echo[]): Promise<void> {
    throw new Error('Echoes are not settled yet.');
  }
}
