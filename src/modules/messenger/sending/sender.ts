import { Inject, Injectable } from '@nestjs/common';
import { MetaMessaging } from '../../../integrations/meta/meta-messaging.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { type Connected, ConnectedPages } from '../connections/connected-pages.js';
import { MessageTexts } from '../conversations/message-texts.js';
import { answerWindow } from './answer-window.js';
import { failed, outcomeOfFailure, type SendingOutcome } from './sending-outcome.js';
import { SendingStore } from './sending-store.js';
import { type OutgoingContent, outgoingContent, type SendingTask } from './sending-task.js';
import { SentMessages } from './sent-messages.js';

/** Sends one message that was claimed: by one call, bracketed by what is committed before and recorded after it. */
@Injectable()
export class Sender {
  constructor(
    private readonly store: SendingStore,
    private readonly sent: SentMessages,
    private readonly pages: ConnectedPages,
    private readonly messaging: MetaMessaging,
    private readonly texts: MessageTexts,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @returns what has become of it, undefined where it was sent */
  async send(task: SendingTask): Promise<SendingOutcome | undefined> {
    const outcome = await this.attempt(task);
    if (outcome) await this.store.conclude(task, outcome);
    return outcome;
  }

  private async attempt(task: SendingTask): Promise<SendingOutcome | undefined> {
    const { tag, lastCustomerMessageAt } = task;
    const { allowsHumanAgent } = this.config.meta;
    // It may have waited for a limit of Meta's, or for Meta itself, until it was too late.
    if (!answerWindow(lastCustomerMessageAt, { tag, allowsHumanAgent }).isOpen)
      return failed('outside-messaging-window');
    const content = outgoingContent(this.texts.openRow(task));
    if (!content) return failed('message-unreadable');
    try {
      await this.pages.withToken(task, (connected) => this.deliver(task, content, connected));
      return undefined;
    } catch (error) {
      return outcomeOfFailure(task, error);
    }
  }

  private async deliver(
    task: SendingTask,
    content: OutgoingContent,
    { token, facebookPageId }: Connected & { token: string },
  ): Promise<void> {
    const { id, channel, participantId, tag } = task;
    await this.store.startSending(task);
    const { messageId } = await this.messaging.send(token, {
      ...{ pageId: facebookPageId, channel, recipient: { id: participantId }, content },
      ...{ humanAgent: tag === 'HUMAN_AGENT', metadata: id },
    });
    await this.sent.record(task, messageId);
  }
}
