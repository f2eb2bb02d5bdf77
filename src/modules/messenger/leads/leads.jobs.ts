import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { ConnectedPages } from '../connections/connected-pages.js';
import { replyJob } from './reply-requests.service.js';
import { placeOf, ReplySender } from './reply-sender.js';
import { ReplyStore } from './reply-store.js';

const ReplyJob = z.object({ replyId: z.uuid() });

/** Replies to comments on their way. */
@Injectable()
export class LeadsJobs {
  constructor(
    private readonly store: ReplyStore,
    private readonly sender: ReplySender,
    private readonly pages: ConnectedPages,
  ) {}

  /** Taken, sent, concluded: each step is committed before the next begins, and none of them holds a connection. */
  @JobHandler(replyJob, { payload: ReplyJob })
  async reply({ replyId }: z.infer<typeof ReplyJob>): Promise<void> {
    const task = await this.store.take(replyId);
    if (!task) return;
    const outcome = await this.sender.send(task);
    if (!outcome) return;
    await this.store.conclude(task, outcome);
    if (outcome.kind === 'sent' && task.kind === 'private') await this.pages.noteSuccess(placeOf(task));
  }

  @Scheduled('* * * * *')
  @JobHandler('messenger.find-lost-replies', { payload: z.object({}) })
  async findLost(): Promise<void> {
    await this.store.enqueueLost();
  }
}
