import { Injectable } from '@nestjs/common';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { lookAgain, type PublishingOutcome } from './publishing-outcome.js';
import { PublishingStore } from './publishing-store.js';
import type { PublishedObject, PublishingTask } from './publishing-task.js';

/** Brackets the one call that publishes: that it begins is committed before, what came of it at once afterwards. */
@Injectable()
export class PublishOnce {
  constructor(private readonly store: PublishingStore) {}

  /**
   * @throws MetaFailure after which the task says whether it may stand on the page: then `publishStartedAt` is set
   * @throws ClaimLost before anything was sent, when the post is another worker's by now
   */
  async publish(task: PublishingTask, call: () => Promise<string>): Promise<PublishingOutcome> {
    const wasInDoubt = task.publishStartedAt !== null;
    await this.store.startPublishing(task);
    try {
      return await this.record(task, [{ id: await call(), permalink: null }]);
    } catch (error) {
      // What Meta refuses for certain it has not published; what was tried before may have been.
      if (error instanceof MetaFailure && !error.mayHaveHappened && !wasInDoubt) task.publishStartedAt = null;
      throw error;
    }
  }

  /** Of what was found on the page, the first that is not another post's already. */
  async record(task: PublishingTask, candidates: readonly PublishedObject[]): Promise<PublishingOutcome> {
    for (const found of candidates)
      if (await this.store.recordPublished(task, found)) return { kind: 'published', ...found };
    return lookAgain(task, 'It was sent, and cannot be found on the page.');
  }
}
