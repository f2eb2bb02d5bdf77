import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { PostState } from '../social.errors.js';
import { findPlanned, type PlannedPost } from './planned-post.js';
import { PostNeighbours } from './post-neighbours.js';
import { PostQueue } from './post-queue.js';
import { PostReadiness, type Readiness } from './post-readiness.js';
import { postColumns } from './post-rows.js';
import type { PostState as State } from './post-states.js';
import { PostChangedMeanwhile, PostOutcomeUnknown } from './posts.errors.js';
import type { Post } from './posts.schemas.js';
import { PublishingQuota } from './publishing-quota.js';
import { resolveTime } from './schedule-time.js';
import type { RetryRequest, ScheduledPost, ScheduleRequest, Warning } from './scheduling.schemas.js';

interface Plan {
  at: Date;
  warnings: Warning[];
}

const now = (): Plan => ({ at: new Date(), warnings: [] });

/**
 * Puts posts into the queue and takes them out again.
 *
 * A post is checked while no connection is held, since its media and Instagram are asked; then queued if it is still the
 * one that was checked, in one transaction with the job that publishes it.
 */
@Injectable()
export class SchedulingService {
  constructor(
    private readonly database: Database,
    private readonly readiness: PostReadiness,
    private readonly quota: PublishingQuota,
    private readonly neighbours: PostNeighbours,
    private readonly queue: PostQueue,
  ) {}

  /** Also moves a post that is queued to another time. */
  schedule(organisationId: string, postId: string, request: ScheduleRequest): Promise<ScheduledPost> {
    const planned = () => resolveTime(request, new Date());
    return this.enqueue(organisationId, postId, ['draft', 'queued', 'failed'], planned);
  }

  publishNow(organisationId: string, postId: string): Promise<ScheduledPost> {
    return this.enqueue(organisationId, postId, ['draft', 'queued', 'failed'], now);
  }

  /** A post of which nobody knows whether it stands on the page is tried again only when somebody has looked. */
  retry(organisationId: string, postId: string, { confirmNotPublished }: RetryRequest): Promise<ScheduledPost> {
    return this.enqueue(organisationId, postId, ['failed'], now, confirmNotPublished);
  }

  /** Back to a draft, also after it has failed. Its job finds nothing to do. */
  async unschedule(organisationId: string, postId: string): Promise<Post> {
    const [row] = await this.database.query<Post>(unschedulePost, [organisationId, postId]);
    if (row) return row;
    const present = await this.find(organisationId, postId);
    if (present.errorCode === outcomeUnknown && present.status === 'failed') throw new PostOutcomeUnknown();
    throw new PostState(`It is ${present.status}: only what is queued or has failed becomes a draft again.`);
  }

  private async enqueue(
    organisationId: string,
    postId: string,
    from: readonly State[],
    planned: () => Plan,
    isConfirmed = false,
  ): Promise<ScheduledPost> {
    const post = await this.database.separately(() => this.find(organisationId, postId));
    this.assertOpen(post, from, isConfirmed);
    const plan = planned();
    const [ready, publishingLimit] = await Promise.all([this.readiness.check(post), this.quota.of(post)]);
    const queued = await this.queueChecked(organisationId, post, plan, ready);
    const neighbours = await this.neighbours.warnings(organisationId, postId, plan.at);
    const warnings = [...plan.warnings, ...ready.warnings, ...this.quota.warnings(publishingLimit), ...neighbours];
    return { ...queued, warnings, publishingLimit };
  }

  private assertOpen({ status, errorCode }: PlannedPost, from: readonly State[], isConfirmed: boolean): void {
    if (!from.includes(status)) throw new PostState(`It is ${status}.`);
    if (status === 'failed' && errorCode === outcomeUnknown && !isConfirmed) throw new PostOutcomeUnknown();
  }

  /** @throws PostChangedMeanwhile when it is another than was checked */
  private async queueChecked(organisationId: string, post: PlannedPost, { at }: Plan, ready: Readiness) {
    const values = [organisationId, post.id, post.version, at, ready.childContentTypes, ready.durationSeconds];
    const [queued] = await this.database.query<Post>(queuePost, values);
    if (!queued) throw new PostChangedMeanwhile();
    await this.queue.enqueue(post.id, queued.nextAttemptAt as Date);
    return queued;
  }

  private async find(organisationId: string, postId: string): Promise<PlannedPost> {
    const post = await this.database.first<PlannedPost>(findPlanned, [organisationId, postId]);
    if (!post) throw new NotFound();
    return post;
  }
}

const outcomeUnknown = 'outcome-unknown';

/** Whatever was left of an earlier attempt is forgotten: its container is not published by anybody any more. */
const begunAnew = `retry_count = 0, error_code = NULL, error_message = NULL, waiting_reason = NULL, container_id = NULL,
  child_containers = '{}', container_created_at = NULL, container_checks = 0, publish_started_at = NULL`;

const queuePost = `
  UPDATE public.social_media_posts
     SET status = 'queued', scheduled_for = $4, next_attempt_at = greatest($4, now()), child_content_types = $5,
         duration_seconds = $6, ${begunAnew}
   WHERE organisation_id = $1 AND id = $2 AND updated_at::text = $3
  RETURNING ${postColumns}`;

const unschedulePost = `
  UPDATE public.social_media_posts
     SET status = 'draft', scheduled_for = NULL, next_attempt_at = NULL, ${begunAnew}
   WHERE organisation_id = $1 AND id = $2 AND status IN ('queued', 'failed')
     AND error_code IS DISTINCT FROM '${outcomeUnknown}'
  RETURNING ${postColumns}`;
