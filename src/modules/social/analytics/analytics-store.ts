import { Injectable } from '@nestjs/common';
import type { MediaInsights } from '../../../integrations/meta/measured-kinds.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import type { DuePost } from './measured-posts.js';

export const readJob = 'social.read-account-analytics';

/** What was learnt of a post: its counts, or that there are none now, or none any more. */
export interface Finding {
  post: DuePost;
  counts: MediaInsights | 'none' | 'gone';
}

/** https://developers.facebook.com/docs/graph-api/batch-requests: at most fifty requests in one. */
const batchSize = 50;
/** The accounts of an hour are read one after the other, rather than all at its stroke; many over five minutes at most. */
const betweenAccountsMs = 1_000;
const longestSpreadMs = 300_000;

/** The rows that the reading of analytics stands on; each step in a transaction of its own. */
@Injectable()
export class AnalyticsStore {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
  ) {}

  /** Lets the accounts be read that have posts which are due, each by a job of its own: one that waits stops no other. */
  enqueueDue(): Promise<void> {
    return this.asService(async () => {
      const due = await this.database.query<{ id: string }>(findDueAccounts);
      const spreadMs = Math.min(due.length * betweenAccountsMs, longestSpreadMs);
      for (const { id } of due) await this.enqueue(id, new Date(Date.now() + Math.random() * spreadMs));
    });
  }

  /** The next posts of an account that are due, newest first; what a run has looked at once does not come again. */
  duePosts(accountId: string, after: DuePost | undefined): Promise<DuePost[]> {
    const values = [accountId, after?.publishedAt ?? null, after?.id ?? null, batchSize];
    return this.asService(() => this.database.query<DuePost>(findDuePosts, values));
  }

  /** Each with its snapshot, unless another run has recorded one since the post was found due. */
  async record(findings: readonly Finding[]): Promise<void> {
    const counted = findings.flatMap(({ post, counts }) => (typeof counts === 'string' ? [] : [{ post, counts }]));
    const others = findings.filter(({ counts }) => typeof counts === 'string');
    if (findings.length === 0) return;
    await this.asService(async () => {
      if (counted.length > 0) await this.database.query(recordCounts, valuesOf(counted));
      if (others.length === 0) return;
      const posts = others.map(({ post }) => post);
      const gone = others.map(({ counts }) => counts === 'gone');
      await this.database.query(noteWithoutCounts, [...identityOf(posts), gone]);
    });
  }

  /** Everything that was due has been read. */
  async finish(accountId: string): Promise<void> {
    await this.asService(() => this.database.query(noteFinished, [accountId]));
  }

  /** Puts an account off: neither the clock nor its own job asks for it before. */
  async wait(accountId: string, until: Date): Promise<void> {
    await this.asService(async () => {
      await this.database.query(putOff, [accountId, until]);
      await this.enqueue(accountId, until);
    });
  }

  private enqueue(accountId: string, runAt: Date): Promise<void> {
    return this.jobs.enqueue(readJob, { accountId }, { key: `${readJob}:${accountId}`, runAt });
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'read social analytics' }, work);
  }
}

type Identity = [ids: string[], lastSyncs: (string | null)[]];

function identityOf(posts: readonly DuePost[]): Identity {
  return [posts.map(({ id }) => id), posts.map(({ lastSync }) => lastSync)];
}

function valuesOf(counted: readonly { post: DuePost; counts: MediaInsights }[]): unknown[] {
  const column = (name: keyof MediaInsights) => counted.map(({ counts }) => clamped(counts[name]));
  const names = ['likes', 'comments', 'shares', 'saves', 'reach', 'impressions', 'plays'] as const;
  return [...identityOf(counted.map(({ post }) => post)), ...names.map(column)];
}

/** A count is whole, not negative, and no larger than a client can read. */
function clamped(count: number): number {
  return Number.isNaN(count) ? 0 : Math.trunc(Math.min(Math.max(count, 0), Number.MAX_SAFE_INTEGER));
}

/**
 * Hourly for two days, daily up to thirty, weekly up to a year. The margins are what a run may come earlier than the one
 * before, since an account's minute within the hour varies; two runs within them make one snapshot.
 */
const isDue = `
  p.status = 'published' AND p.analytics_available AND p.published_at > now() - interval '365 days'
  AND (p.last_analytics_sync IS NULL OR p.last_analytics_sync <= now() -
       CASE WHEN p.published_at > now() - interval '48 hours' THEN interval '50 minutes'
            WHEN p.published_at > now() - interval '30 days' THEN interval '23 hours 30 minutes'
            ELSE interval '6 days 23 hours 30 minutes' END)`;

const isReadable = `a.status = 'active' AND (a.analytics_wait_until IS NULL OR a.analytics_wait_until <= now())`;

/** All posts of a year are looked at, in social_media_posts_last_analytics_sync_idx, which holds whatever is asked. */
const findDueAccounts = `
  WITH due AS MATERIALIZED (SELECT DISTINCT p.social_account_id FROM public.social_media_posts p WHERE ${isDue})
  SELECT a.id FROM public.social_media_accounts a JOIN due ON due.social_account_id = a.id WHERE ${isReadable}`;

const findDuePosts = `
  SELECT p.id, p.platform, p.post_type, p.content_type, p.platform_post_id, p.published_at::text,
         p.last_analytics_sync::text AS last_sync,
         p.post_type = 'story' AND p.published_at < now() - interval '23 hours' AS is_past_story
    FROM public.social_media_posts p JOIN public.social_media_accounts a ON a.id = p.social_account_id
   WHERE p.social_account_id = $1 AND ${isReadable} AND ${isDue}
     AND ($2::timestamptz IS NULL OR (p.published_at, p.id) < ($2, $3::uuid))
   ORDER BY p.published_at DESC, p.id DESC LIMIT $4`;

/** A post that was read by another run, or deleted here, meanwhile keeps what it has: no second snapshot of one state. */
const recordCounts = `
  WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                         $7::bigint[], $8::bigint[], $9::bigint[])
      AS g (id, last_sync, likes, comments, shares, saves, reach, impressions, plays)
  ), counted AS (
    UPDATE public.social_media_posts p
       SET likes_count = g.likes, comments_count = g.comments, shares_count = g.shares, saves_count = g.saves,
           reach = g.reach, impressions = g.impressions, plays_count = g.plays, last_analytics_sync = now()
      FROM given g
     WHERE p.id = g.id AND p.status = 'published' AND p.last_analytics_sync IS NOT DISTINCT FROM g.last_sync
    RETURNING p.*
  )
  INSERT INTO public.social_media_analytics_snapshots
    (organisation_id, post_id, likes_count, comments_count, shares_count, saves_count, reach, impressions, plays_count,
     engagement_rate, snapshot_at, hours_since_published)
  SELECT organisation_id, id, likes_count, comments_count, shares_count, saves_count, reach, impressions, plays_count,
         engagement_rate, last_analytics_sync,
         greatest(round(extract(epoch FROM last_analytics_sync - published_at) / 3600, 2), 0)
    FROM counted`;

const noteWithoutCounts = `
  UPDATE public.social_media_posts p
     SET last_analytics_sync = now(), analytics_available = NOT g.is_gone
    FROM unnest($1::uuid[], $2::timestamptz[], $3::boolean[]) AS g (id, last_sync, is_gone)
   WHERE p.id = g.id AND p.status = 'published' AND p.last_analytics_sync IS NOT DISTINCT FROM g.last_sync`;

const noteFinished = `
  UPDATE public.social_media_accounts SET last_synced_at = now(), analytics_wait_until = NULL
   WHERE id = $1 AND status = 'active'`;

const putOff = 'UPDATE public.social_media_accounts SET analytics_wait_until = $2 WHERE id = $1';
