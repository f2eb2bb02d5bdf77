import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { LOGGER } from '../../../kernel/observability/logger.js';
import { ConnectedPages } from '../connections/connected-pages.js';
import { sendJob } from './send-queue.js';
import { Sender } from './sender.js';
import type { SendingOutcome } from './sending-outcome.js';
import { ClaimLost, SendingStore } from './sending-store.js';
import type { SendingTask } from './sending-task.js';

const SendJob = z.object({ conversationId: z.uuid() });

/** Brings waiting messages to Meta. One run takes one message of a conversation; a further run takes the next. */
@Injectable()
export class SendingJobs {
  constructor(
    private readonly store: SendingStore,
    private readonly sender: Sender,
    private readonly pages: ConnectedPages,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @JobHandler(sendJob, { payload: SendJob })
  async send({ conversationId }: z.infer<typeof SendJob>): Promise<void> {
    const task = await this.store.claim(conversationId);
    if (!task) return;
    const { id: messageId, channel } = task;
    try {
      const outcome = await this.sender.send(task);
      this.logger.info({ messageId, channel, outcome: described(outcome) }, 'message');
      if (!outcome) await this.noteSuccess(task);
    } catch (error) {
      if (!(error instanceof ClaimLost)) throw error;
      this.logger.warn({ messageId }, 'another worker goes on with the message');
    }
  }

  @Scheduled('* * * * *')
  @JobHandler('messenger.find-unsent', { payload: z.object({}) })
  findUnsent(): Promise<void> {
    return this.store.resumeLost();
  }

  /** What was sent stays sent, whether or not it is noted how well the connection does. */
  private async noteSuccess({ ownerId, channel, pageId }: SendingTask): Promise<void> {
    try {
      await this.pages.noteSuccess({ ownerId, channel, pageId });
    } catch {
      this.logger.warn({ channel }, 'it was not noted that a message was sent');
    }
  }
}

function described(outcome: SendingOutcome | undefined): string {
  if (!outcome) return 'sent';
  return outcome.kind === 'failed' ? outcome.code : outcome.kind;
}
