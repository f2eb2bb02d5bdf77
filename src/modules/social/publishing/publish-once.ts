import { Injectable } from '@nestjs/common';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { persistently } from '../../../kernel/database/persistently.js';
import { lookAgain, type PublishingOutcome } from './publishing-outcome.js';
import { PublishingStore } from './publishing-store.js';
import type { PublishedObject, PublishingTask } from './publishing-task.js';

/** Together shorter than what is left of the lease once Meta has answered. */
const pausesMs = [100, 500, 2_000, 5_000, 10_000];

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
    for (const found of candidates) if (await this.keep(task, found)) return { kind: 'published', ...found };
    return lookAgain(task, 'It was sent, and cannot be found on the page.');
  }

  /** What Meta answered is known here alone: a database that is away for a moment must not make it unknown again. */
  private keep(task: PublishingTask, found: PublishedObject): Promise<boolean> {
    return persistently(pausesMs, () => this.store.recordPublished(task, found));
  }
}
