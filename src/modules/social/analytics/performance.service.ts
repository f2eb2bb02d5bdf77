import { Injectable } from '@nestjs/common';
import { Cursors } from '../../../kernel/http/cursor.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type {
  PerformanceQuery,
  PerformanceSort,
  PerformanceSummary,
  PostPerformance,
  PostsPerformance,
} from './analytics.schemas.js';

type SortedPost = PostPerformance & { sortValue: string };

/** How the posts of the last days did, and what they come to together. */
@Injectable()
export class PerformanceService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  async list(organisationId: string, query: PerformanceQuery): Promise<PostsPerformance> {
    const { days, sort, platform, accountId, cursor, limit, timeZone } = query;
    const purpose = `performance ${sort} ${organisationId}`;
    const [value, id] = cursor ? this.cursors.decode(cursor, purpose) : [null, null];
    const filters = [organisationId, days, platform ?? null, accountId ?? null];
    const rows = await this.database.query<SortedPost>(listings[sort], [...filters, value, id, limit + 1]);
    const page = toPage(rows, limit, (last) => this.cursors.encode([last.sortValue, last.id], purpose));
    if (cursor) return { ...page, summary: null };
    const summary = await this.database.first<PerformanceSummary>(summarise, [...filters, timeZone]);
    return { ...page, summary: summary ?? null };
  }
}

/** By organisation and time: social_media_posts_published_at_idx. */
const shown = `
  SELECT * FROM public.social_media_posts
   WHERE organisation_id = $1 AND status = 'published' AND published_at > now() - make_interval(days => $2)
     AND ($3::text IS NULL OR platform = $3) AND ($4::uuid IS NULL OR social_account_id = $4)`;

/** Numbers to a client: whole, and none above what it reads exactly (see `clamped` in analytics-store.ts). */
const counts = `likes_count::float8, comments_count::float8, shares_count::float8, saves_count::float8, reach::float8,
  impressions::float8, plays_count::float8, engagement_rate::text`;

const sortColumns: Record<PerformanceSort, string> = {
  engagement: 'engagement_rate',
  reach: 'reach',
  impressions: 'impressions',
  likes: 'likes_count',
  comments: 'comments_count',
  shares: 'shares_count',
  saves: 'saves_count',
  plays: 'plays_count',
  publishedAt: 'extract(epoch FROM published_at)',
};

const listings = Object.fromEntries(
  Object.entries(sortColumns).map(([sort, column]) => [sort, listingBy(column)]),
) as Record<PerformanceSort, string>;

function listingBy(column: string): string {
  return `
  SELECT id, social_account_id, platform, post_type, content_type, caption, thumbnail_url, platform_url, published_at,
         ${counts}, last_analytics_sync, analytics_available, (${column})::numeric::text AS sort_value
    FROM (${shown}) p
   WHERE $5::numeric IS NULL OR ((${column})::numeric, id) < ($5, $6::uuid)
   ORDER BY (${column})::numeric DESC, id DESC LIMIT $7`;
}

const rate = `round(CASE WHEN sum(reach) > 0
  THEN (sum(likes_count) + sum(comments_count) + sum(shares_count) + sum(saves_count)) / sum(reach) * 100 ELSE 0 END, 2)`;

const total = (column: string) => `coalesce(sum(${column}), 0)::float8 AS ${column}`;

const summarise = `
  WITH shown AS MATERIALIZED (${shown}), hours AS (
    SELECT extract(isodow FROM published_at AT TIME ZONE $5)::integer AS weekday,
           extract(hour FROM published_at AT TIME ZONE $5)::integer AS hour,
           count(*) AS posts, ${rate} AS rate
      FROM shown WHERE reach > 0 GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2 LIMIT 3
  )
  SELECT count(*)::integer AS posts,
         ${['likes_count', 'comments_count', 'shares_count', 'saves_count'].map(total).join(', ')},
         ${['reach', 'impressions', 'plays_count'].map(total).join(', ')}, ${rate}::text AS engagement_rate,
         coalesce((SELECT jsonb_agg(jsonb_build_object(
                     'weekday', weekday, 'hour', hour, 'posts', posts, 'engagementRate', rate::text)
                     ORDER BY rate DESC, weekday, hour) FROM hours), '[]') AS best_times
    FROM shown`;
