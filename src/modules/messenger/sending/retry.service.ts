import { Injectable } from '@nestjs/common';
import { AlreadyExists, NotFound } from '../../../kernel/http/http.errors.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { MessageTexts } from '../conversations/message-texts.js';
import { MessageNotFailed, MessageOutcomeUnknown, MessageRetried, MessageUnreadable } from './sending.errors.js';
import type { MessageRetry, NewMessage, QueuedMessage } from './sending.schemas.js';
import { SendingService } from './sending.service.js';
import { outgoingContent } from './sending-task.js';

interface FailedMessage {
  isOurs: boolean;
  status: string;
  errorCode: string | null;
  tag: 'HUMAN_AGENT' | null;
  isRetried: boolean;
}

/**
 * Sends what has failed once more, as a message of its own: a failed one has no way back, and the new one stands where it
 * is said. One failed message is followed by one other at most, however often somebody clicks.
 */
@Injectable()
export class RetryService {
  constructor(
    private readonly database: Database,
    private readonly texts: MessageTexts,
    private readonly sending: SendingService,
  ) {}

  async retry(
    { conversationId, messageId }: { conversationId: string; messageId: string },
    { confirmNotSent, tag: given }: MessageRetry,
    userId: string,
  ): Promise<QueuedMessage> {
    const { tag } = await this.database.separately(() => this.find(conversationId, messageId, confirmNotSent));
    const content = await this.read(messageId);
    const message = { ...content, tag: given ?? tag ?? undefined };
    try {
      return await this.sending.send(conversationId, message, userId, messageId);
    } catch (error) {
      if (isTaken(error)) throw new MessageRetried();
      throw error;
    }
  }

  private async find(conversationId: string, messageId: string, isConfirmed: boolean): Promise<FailedMessage> {
    const message = await this.database.first<FailedMessage>(findFailed, [conversationId, messageId]);
    if (!message) throw new NotFound();
    if (!message.isOurs || message.status !== 'failed') throw new MessageNotFailed();
    if (message.isRetried) throw new MessageRetried();
    if (message.errorCode === 'outcome-unknown' && !isConfirmed) throw new MessageOutcomeUnknown();
    return message;
  }

  /** As the service, which alone reads what rests sealed. */
  private async read(messageId: string): Promise<NewMessage> {
    const found = (await this.texts.open([messageId])).get(messageId);
    const content = found && outgoingContent(found);
    if (!content) throw new MessageUnreadable();
    return content;
  }
}

/** The only unique key that somebody else can have taken: that of the message in whose place it stands. */
const isTaken = (error: unknown): boolean => asDomainError(error).definition.code === AlreadyExists.definition.code;

const findFailed = `
  SELECT m.direction = 'out' AND m.sent_by IS NOT NULL AS is_ours, m.status, m.error_code, m.tag,
         EXISTS (SELECT FROM public.messages r WHERE r.retry_of = m.id) AS is_retried
    FROM public.messages m WHERE m.conversation_id = $1 AND m.id = $2`;
