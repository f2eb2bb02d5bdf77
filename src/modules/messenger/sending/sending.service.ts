import { Inject, Injectable } from '@nestjs/common';
import { lengthOfText, longestText, type MessagingChannel } from '../../../integrations/meta/meta-messaging.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { NotFound, RuleViolated } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { NotConnected } from '../messenger.errors.js';
import { answerWindow } from './answer-window.js';
import { isFetchable } from './file-addresses.js';
import { OutgoingMessages } from './outgoing-messages.js';
import { HumanAgentNotGranted, OutsideMessagingWindow } from './sending.errors.js';
import type { NewMessage, QueuedMessage } from './sending.schemas.js';

interface Answered {
  ownerId: string;
  channel: MessagingChannel;
  lastCustomerMessageAt: Date | null;
  isConnected: boolean;
}

/** What a person sends: checked against all that is known here before Meta is asked, and queued. */
@Injectable()
export class SendingService {
  constructor(
    private readonly database: Database,
    private readonly outgoing: OutgoingMessages,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @param retryOf the failed message in whose place it is sent */
  async send(conversationId: string, message: NewMessage, userId: string, retryOf?: string): Promise<QueuedMessage> {
    const answered = await this.database.first<Answered>(findAnswered, [conversationId]);
    if (!answered) throw new NotFound();
    const { ownerId, channel } = answered;
    this.assertSendable(channel, message);
    if (!answered.isConnected) throw new NotConnected();
    this.assertInTime(answered, message.tag);
    const queued = { ...message, conversationId, ownerId, channel, sentBy: 'user', userId, retryOf } as const;
    const { id } = await this.outgoing.queue(queued);
    return (await this.database.first<QueuedMessage>(findQueued, [id])) as QueuedMessage;
  }

  /** @throws RuleViolated */
  private assertSendable(channel: MessagingChannel, { text, attachment }: NewMessage): void {
    if (text !== undefined && lengthOfText(channel, text) > longestText[channel])
      throw refused('text', tooLong[channel]);
    if (attachment && !isFetchable(attachment.url, this.config)) throw refused('attachment.url', notPublic);
  }

  private assertInTime({ lastCustomerMessageAt }: Answered, tag: NewMessage['tag'] | null = null): void {
    const { allowsHumanAgent } = this.config.meta;
    if (tag && !allowsHumanAgent) throw new HumanAgentNotGranted();
    const { isOpen, closesAt } = answerWindow(lastCustomerMessageAt, { tag, allowsHumanAgent });
    if (isOpen) return;
    throw new OutsideMessagingWindow(
      closesAt ? `It was over at ${closesAt.toISOString()}.` : 'They have never written.',
    );
  }
}

interface Refusal {
  code: string;
  message: string;
}

const refused = (path: string, refusal: Refusal) => new RuleViolated(undefined, { errors: [{ path, ...refusal }] });

const tooLong: Record<MessagingChannel, Refusal> = {
  messenger: { code: 'too-long', message: `Messenger takes ${longestText.messenger} characters.` },
  instagram: { code: 'too-long', message: `Instagram takes ${longestText.instagram} bytes of UTF-8.` },
};

const notPublic: Refusal = { code: 'not-public', message: 'It is no https address of the public internet.' };

const findAnswered = `
  SELECT owner_id, channel, last_customer_message_at, app.is_connected(id) AS is_connected
    FROM public.conversations WHERE id = $1`;

const findQueued = `
  SELECT id, conversation_id, channel, status, tag, retry_of, created_at FROM public.messages WHERE id = $1`;
