import { Injectable } from '@nestjs/common';
import { Jobs } from '../../../kernel/jobs/jobs.js';

/** The job that publishes one post; its handler is in `publishing`. */
export const publishJob = 'social.publish-post';

/** Lets a worker look at a post at its time. In the transaction that queues it: there is no post without its job. */
@Injectable()
export class PostQueue {
  constructor(private readonly jobs: Jobs) {}

  /** A job of the same post that still waits is replaced. */
  enqueue(postId: string, runAt: Date): Promise<void> {
    return this.jobs.enqueue(publishJob, { postId }, { key: `${publishJob}:${postId}`, runAt });
  }
}
