import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { AnalyticsPoint, PostAnalytics, PostAnalyticsQuery } from './analytics.schemas.js';

type MeasuredPost = Omit<PostAnalytics, 'latest' | 'points'> & PostAnalytics['latest'];
type PointRow = Omit<AnalyticsPoint, 'gained'> & Record<`gained${string}`, number>;

/** How the counts of one post grew. */
@Injectable()
export class PostAnalyticsService {
  constructor(private readonly database: Database) {}

  /** A post that is not published yet has no points, and neither has one that Meta was not asked about. */
  async read(organisationId: string, postId: string, query: PostAnalyticsQuery): Promise<PostAnalytics> {
    const post = await this.database.first<MeasuredPost>(findPost, [organisationId, postId]);
    if (!post) throw new NotFound();
    const values = [organisationId, postId, query.resolution, query.from ?? null, query.to ?? null];
    const rows = await this.database.query<PointRow>(listPoints, values);
    return { ...post, latest: post, points: rows.map(toPoint) };
  }
}

function toPoint(row: PointRow): AnalyticsPoint {
  return {
    ...row,
    gained: {
      ...{ likesCount: row.gainedLikes ?? 0, commentsCount: row.gainedComments ?? 0 },
      ...{ sharesCount: row.gainedShares ?? 0, savesCount: row.gainedSaves ?? 0, reach: row.gainedReach ?? 0 },
      ...{ impressions: row.gainedImpressions ?? 0, playsCount: row.gainedPlays ?? 0 },
    },
  };
}

/** Numbers to a client: whole, and none above what it reads exactly (see `clamped` in analytics-store.ts). */
const counts = `likes_count::float8, comments_count::float8, shares_count::float8, saves_count::float8, reach::float8,
  impressions::float8, plays_count::float8, engagement_rate::text`;

const findPost = `
  SELECT id AS post_id, published_at, last_analytics_sync, analytics_available, ${counts}
    FROM public.social_media_posts WHERE organisation_id = $1 AND id = $2`;

const gained = (column: string, name: string) =>
  `(${column} - coalesce(lag(${column}) OVER before, 0))::float8 AS gained_${name}`;

/** The last snapshot of each stretch; what it gained is counted before the days are cut out. A post has some 130 at most. */
const listPoints = `
  WITH chosen AS (
    SELECT DISTINCT ON (stretch) s.*,
           CASE $3::text WHEN 'all' THEN snapshot_at AT TIME ZONE 'UTC'
                         ELSE date_trunc($3, snapshot_at AT TIME ZONE 'UTC') END AS stretch
      FROM public.social_media_analytics_snapshots s
     WHERE organisation_id = $1 AND post_id = $2
     ORDER BY stretch, snapshot_at DESC
  ), points AS (
    SELECT snapshot_at, hours_since_published::float8, ${counts},
           ${gained('likes_count', 'likes')}, ${gained('comments_count', 'comments')},
           ${gained('shares_count', 'shares')}, ${gained('saves_count', 'saves')}, ${gained('reach', 'reach')},
           ${gained('impressions', 'impressions')}, ${gained('plays_count', 'plays')}
      FROM chosen WINDOW before AS (ORDER BY snapshot_at)
  )
  SELECT * FROM points
   WHERE ($4::date IS NULL OR snapshot_at >= $4::date::timestamp AT TIME ZONE 'UTC')
     AND ($5::date IS NULL OR snapshot_at < ($5::date + 1)::timestamp AT TIME ZONE 'UTC')
   ORDER BY snapshot_at`;
