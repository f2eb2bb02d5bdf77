import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { z } from 'zod';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { LOGGER } from '../../../kernel/observability/logger.js';
import { SocialTokens } from '../accounts/social-tokens.js';
import { publishJob } from '../posts/post-queue.js';
import { FacebookPublisher } from './facebook-publisher.js';
import { outcomeOfFailure, withoutAccount } from './failed-call.js';
import { InstagramPublisher } from './instagram-publisher.js';
import type { PublishingOutcome } from './publishing-outcome.js';
import { ClaimLost, PublishingStore } from './publishing-store.js';
import type { PublishingTask } from './publishing-task.js';

const PublishJob = z.object({ postId: z.uuid() });

/** Brings due posts to their page. One run takes a post as far as it goes without waiting; a further run goes on. */
@Injectable()
export class PublishingJobs {
  constructor(
    private readonly store: PublishingStore,
    private readonly tokens: SocialTokens,
    private readonly instagram: InstagramPublisher,
    private readonly facebook: FacebookPublisher,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @JobHandler(publishJob, { payload: PublishJob })
  async publish({ postId }: z.infer<typeof PublishJob>): Promise<void> {
    const task = await this.store.claim(postId);
    if (!task) return;
    try {
      const outcome = await this.advance(task);
      if (outcome.kind !== 'published') await this.store.conclude(task, outcome);
      this.logger.info({ postId, platform: task.platform, ...described(outcome) }, 'post');
    } catch (error) {
      if (!(error instanceof ClaimLost)) throw error;
      this.logger.warn({ postId }, 'another worker goes on with the post');
    }
  }

  @Scheduled('* * * * *')
  @JobHandler('social.find-due', { payload: z.object({}) })
  findDue(): Promise<void> {
    return this.store.resumeLost();
  }

  /** An address that Meta did not tell at once. It is fetched, never made up. */
  @Scheduled('17 * * * *')
  @JobHandler('social.find-permalinks', { payload: z.object({}) })
  async findPermalinks(): Promise<void> {
    for (const { postId, socialAccountId, platform, platformPostId } of await this.store.withoutPermalink())
      await this.unlessMetaFails(() =>
        this.tokens.withToken(socialAccountId, (token) => this.address({ postId, platform }, platformPostId, token)),
      );
  }

  private async advance(task: PublishingTask): Promise<PublishingOutcome> {
    if (task.accountStatus !== 'active') return withoutAccount(task);
    try {
      return await this.tokens.withToken(task.socialAccountId, async (token) => {
        const outcome = await this[task.platform].publish(task, token);
        if (outcome.kind === 'published' && outcome.permalink === null)
          await this.unlessMetaFails(() => this.address(task, outcome.id, token));
        return outcome;
      });
    } catch (error) {
      return outcomeOfFailure(task, error);
    }
  }

  private async address(
    { postId, platform }: Pick<PublishingTask, 'postId' | 'platform'>,
    objectId: string,
    token: string,
  ): Promise<void> {
    const permalink = await this[platform].permalink(token, objectId);
    if (permalink) await this.store.notePermalink(postId, permalink);
  }

  /** What is published stays so, with or without an address. */
  private async unlessMetaFails(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof MetaFailure || error instanceof DomainError)) throw error;
    }
  }
}

function described(outcome: PublishingOutcome): Record<string, unknown> {
  switch (outcome.kind) {
    case 'waits':
      return { outcome: outcome.reason, seconds: Math.round(outcome.seconds) };
    case 'in-doubt':
      return { outcome: outcome.kind, seconds: outcome.seconds };
    case 'failed':
      return { outcome: outcome.code };
    default:
      return { outcome: outcome.kind };
  }
}
