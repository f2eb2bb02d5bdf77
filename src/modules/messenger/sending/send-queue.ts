import { Injectable } from '@nestjs/common';
import { Jobs } from '../../../kernel/jobs/jobs.js';

/** The job that sends the next message of a conversation; its handler is in `sending.jobs`. */
export const sendJob = 'messenger.send';

/** Lets a worker look at a conversation. In the transaction that queues a message: there is none without its job. */
@Injectable()
export class SendQueue {
  constructor(private readonly jobs: Jobs) {}

  /** A job of the same conversation that still waits is replaced: what leaves first is decided when it runs. */
  enqueue(conversationId: string, runAt?: Date): Promise<void> {
    const key = `${sendJob}:${conversationId}`;
    return this.jobs.enqueue(sendJob, { conversationId }, { key, ...(runAt && { runAt }) });
  }
}
