import { Inject, Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { AlreadyExists } from '../../../kernel/http/http.errors.js';
import { asDomainError } from '../../../kernel/http/problem-mapping.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { PostQueue } from '../posts/post-queue.js';
import type { PublishingOutcome } from './publishing-outcome.js';
import type { PublishedObject, PublishingTask } from './publishing-task.js';

/** Another worker goes on with the post: its lease was over before this one came to its end. */
export class ClaimLost extends Error {
  override readonly name = 'ClaimLost';
}

/** As many as one look lets begin; the next one is a minute away. */
const mostAtOnce = 500;
const mostUnaddressed = 200;

/** A published post whose address on the page is not known. */
export interface UnaddressedPost {
  postId: string;
  socialAccountId: string;
  platform: 'instagram' | 'facebook';
  platformPostId: string;
}

/**
 * The rows of posts under way. Each step is one statement in a transaction of its own, so that no connection is held
 * while Meta is asked, and each renews the lease: who does not come back in time has lost the post to another.
 */
@Injectable()
export class PublishingStore {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly queue: PostQueue,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Undefined for a post that is not due, or that another worker holds: its job ran twice. */
  claim(postId: string): Promise<PublishingTask | undefined> {
    return this.asService(() => this.database.first<PublishingTask>(claimPost, [postId, uuidv7(), this.lease]));
  }

  /** Before a container is asked for its state: whoever goes on after a crash goes on with the same one. */
  async noteContainers(task: PublishingTask): Promise<void> {
    const { containerId, childContainers, containerCreatedAt } = task;
    await this.step(noteContainers, task, [this.lease, containerId, childContainers, containerCreatedAt]);
    task.containerChecks = 0;
  }

  /** Committed before the one call that publishes: from here on nobody publishes it again without asking Meta first. */
  async startPublishing(task: PublishingTask): Promise<void> {
    await this.step(startPublishing, task, [this.lease]);
    // As the statement does: what is counted from here on is how often Meta was asked what became of it.
    if (!task.publishStartedAt) task.containerChecks = 0;
    task.publishStartedAt ??= new Date();
  }

  /** @returns false when another post already is what was found */
  async recordPublished(task: PublishingTask, { id, permalink }: PublishedObject): Promise<boolean> {
    try {
      await this.step(recordPublished, task, [id, permalink]);
      return true;
    } catch (error) {
      if (isTaken(error)) return false;
      throw error;
    }
  }

  /** What was published of late and has no address yet: Meta did not tell, or the worker was lost before it asked. */
  withoutPermalink(): Promise<UnaddressedPost[]> {
    return this.asService(() => this.database.query<UnaddressedPost>(findUnaddressed, [mostUnaddressed]));
  }

  async notePermalink(postId: string, permalink: string): Promise<void> {
    await this.asService(() => this.database.query(notePermalink, [postId, permalink]));
  }

  /** Ends the claim. The job that looks at it next is there exactly if the post waits for it. */
  async conclude(task: PublishingTask, outcome: Exclude<PublishingOutcome, { kind: 'published' }>): Promise<void> {
    const { postId, attemptId } = task;
    const claim = [postId, attemptId];
    await this.asService(async () => {
      switch (outcome.kind) {
        case 'paused':
          return this.comeBack(await this.database.first(pause, claim));
        case 'failed':
          return void (await this.database.query(fail, [...claim, outcome.code, outcome.message]));
        case 'in-doubt':
          return this.comeBack(await this.database.first(keepInDoubt, [...claim, inSeconds(outcome.seconds)]));
        case 'waits': {
          const { reason, seconds, countsAsRetry = false, check = false } = outcome;
          const values = [...claim, inSeconds(seconds), reason, countsAsRetry, check];
          const containers = [task.containerId, task.childContainers, task.containerCreatedAt];
          return this.comeBack(await this.database.first(putOff, [...values, ...containers]));
        }
      }
    });
  }

  /** Lets posts go on whose job was lost, or whose worker was killed. */
  async resumeLost(): Promise<void> {
    await this.asService(async () => {
      const lost = await this.database.query<Due>(findLost, [mostAtOnce]);
      for (const { postId, runAt } of lost) await this.queue.enqueue(postId, runAt);
    });
  }

  /**
   * Longer than what is asked of Meta between two steps may take. Shorter than the minute after which the queue gives
   * back what a killed worker held: `resumeLost` is the first to notice.
   */
  private get lease(): string {
    return `${this.config.meta.timeoutMs * 4 + 5_000} ms`;
  }

  private async comeBack(due: { postId: string; runAt: Date | null } | undefined): Promise<void> {
    if (due?.runAt) await this.queue.enqueue(due.postId, due.runAt);
  }

  /** @throws ClaimLost when another worker has claimed the post, or could any moment */
  private async step(statement: string, { postId, attemptId }: PublishingTask, values: unknown[]): Promise<void> {
    const held = await this.asService(() => this.database.first(statement, [postId, attemptId, ...values]));
    if (!held) throw new ClaimLost();
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'publish posts' }, work);
  }
}

interface Due {
  postId: string;
  runAt: Date;
}

const inSeconds = (seconds: number): string => `${Math.ceil(seconds * 1000)} ms`;

/** The only unique key that the step can meet: of those that it touches, on what stands on the page. */
const isTaken = (error: unknown): boolean => asDomainError(error).definition.code === AlreadyExists.definition.code;

/** By its key; of two who claim at once the second waits for the first, and then finds nothing that is due. */
const claimPost = `
  UPDATE public.social_media_posts p
     SET status = 'processing', attempt_id = $2, claimed_until = clock_timestamp() + $3::interval,
         next_attempt_at = NULL, waiting_reason = NULL
    FROM public.social_media_accounts a
   WHERE p.id = $1 AND a.organisation_id = p.organisation_id AND a.id = p.social_account_id
     AND (p.status = 'queued' AND p.next_attempt_at <= now() OR p.status = 'processing' AND p.claimed_until <= now())
  RETURNING p.id AS post_id, p.attempt_id, p.social_account_id, p.platform, a.platform_account_id,
            a.status AS account_status, p.content_type, p.content_url, p.thumbnail_url, p.caption, p.hashtags,
            p.post_type, p.children, p.child_content_types, p.location_id, p.share_to_feed, p.container_id,
            p.child_containers, p.container_created_at, p.container_checks, p.publish_started_at, p.retry_count,
            p.max_retries`;

const held = `p.id = $1 AND p.attempt_id = $2 AND p.status = 'processing'`;

/** While the lease runs nobody else can have begun; after it, whoever claims next must not meet a container of ours. */
const leased = `${held} AND p.claimed_until > clock_timestamp()`;

const noteContainers = `
  UPDATE public.social_media_posts p
     SET claimed_until = clock_timestamp() + $3::interval, container_id = $4, child_containers = $5,
         container_created_at = $6, container_checks = 0
   WHERE ${leased} RETURNING p.id`;

const startPublishing = `
  UPDATE public.social_media_posts p
     SET claimed_until = clock_timestamp() + $3::interval, publish_started_at = coalesce(publish_started_at, now()),
         container_checks = CASE WHEN publish_started_at IS NULL THEN 0 ELSE container_checks END
   WHERE ${leased} RETURNING p.id`;

/** Even when the lease is over: as long as nobody else has claimed it, what Meta said counts. */
const recordPublished = `
  UPDATE public.social_media_posts p
     SET status = 'published', claimed_until = NULL, platform_post_id = $3, platform_url = $4, published_at = now(),
         error_code = NULL, error_message = NULL
   WHERE ${held} RETURNING p.id`;

const notePermalink = `
  UPDATE public.social_media_posts SET platform_url = $2 WHERE id = $1 AND platform_post_id IS NOT NULL`;

/**
 * Until somebody connects the account anew. The account is held meanwhile: a consent that comes just now either waits,
 * and then finds this post among those that it lets go on, or has come, and then the post goes on by itself. One whose
 * tokens do not open stays active: its key may come back, so that its posts look again each hour.
 */
const pause = `
  WITH account AS (SELECT id, status, health FROM public.social_media_accounts
                    WHERE id = (SELECT social_account_id FROM public.social_media_posts WHERE id = $1) FOR SHARE)
  UPDATE public.social_media_posts p
     SET status = 'queued', claimed_until = NULL, publish_started_at = NULL, waiting_reason = 'account-expired',
         next_attempt_at = CASE WHEN account.status = 'active' THEN date_trunc('milliseconds', clock_timestamp())
           + CASE account.health WHEN 'error' THEN interval '1 hour' ELSE interval '0' END END
    FROM account
   WHERE ${held} AND account.id = p.social_account_id
  RETURNING p.id AS post_id, p.next_attempt_at AS run_at`;

const putOff = `
  UPDATE public.social_media_posts p
     SET status = 'queued', claimed_until = NULL, publish_started_at = NULL,
         next_attempt_at = date_trunc('milliseconds', clock_timestamp()) + $3::interval, waiting_reason = $4,
         retry_count = retry_count + $5::boolean::integer, container_checks = container_checks + $6::boolean::integer,
         container_id = $7, child_containers = $8, container_created_at = $9
   WHERE ${held} RETURNING p.id AS post_id, p.next_attempt_at AS run_at`;

const keepInDoubt = `
  UPDATE public.social_media_posts p
     SET claimed_until = date_trunc('milliseconds', clock_timestamp()) + $3::interval,
         container_checks = container_checks + 1
   WHERE ${held} RETURNING p.id AS post_id, p.claimed_until AS run_at`;

/** An attempt that is over leaves nothing to go on with, unless its outcome is unknown. */
const fail = `
  UPDATE public.social_media_posts p
     SET status = 'failed', claimed_until = NULL, error_code = $3, error_message = $4,
         publish_started_at = CASE WHEN $3 = 'outcome-unknown' THEN publish_started_at END,
         container_id = CASE WHEN $3 = 'outcome-unknown' THEN container_id END,
         child_containers = CASE WHEN $3 = 'outcome-unknown' THEN child_containers ELSE '{}' END,
         container_created_at = CASE WHEN $3 = 'outcome-unknown' THEN container_created_at END
   WHERE ${held}`;

/** A minute after its time a queued post's job has been lost, or many wait before it: then it only keeps its place. */
const findLost = `
  (SELECT id AS post_id, next_attempt_at AS run_at FROM public.social_media_posts
    WHERE status = 'queued' AND next_attempt_at <= now() - interval '1 minute' ORDER BY next_attempt_at LIMIT $1)
  UNION ALL
  (SELECT id, now() FROM public.social_media_posts
    WHERE status = 'processing' AND claimed_until <= now() - interval '5 seconds' ORDER BY claimed_until LIMIT $1)`;

const findUnaddressed = `
  SELECT p.id AS post_id, p.social_account_id, p.platform, p.platform_post_id
    FROM public.social_media_posts p JOIN public.social_media_accounts a ON a.id = p.social_account_id
   WHERE p.status = 'published' AND p.platform_url IS NULL AND p.published_at > now() - interval '1 day'
     AND a.status = 'active'
   ORDER BY p.published_at LIMIT $1`;
