import { Injectable } from '@nestjs/common';
import type { MessagingChannel } from '../../../integrations/meta/meta-messaging.js';

/** A conversation in which a customer has just written. */
export interface IncomingMessage {
  conversationId: string;
  ownerId: string;
  channel: MessagingChannel;
  /** When they wrote, by the platform's time. */
  at: Date;
}

/** Welcomes, and says that nobody is there: each at most once a day in a conversation. */
@Injectable()
export class AutomaticAnswers {
  /**
   * In the transaction of the batch that they came in: a customer's own new messages alone, and none that is older than an
   * hour. Echoes are never told of here, or the page would talk with itself.
   */
  incoming(_messages: readonly IncomingMessage[]): Promise<void> {
    throw new Error('Nothing is answered by itself yet.');
  }
}
