import { z } from 'zod';

export type MeasuredKind = 'instagram-feed' | 'instagram-reel' | 'instagram-story' | 'page-post' | 'page-video';

/** Counts over the life of a publication; what Meta does not measure for its kind, or not yet, is 0. */
export interface MediaInsights {
  likes: number;
  comments: number;
  shares: number;
  saves: number;
  reach: number;
  impressions: number;
  plays: number;
}

export const noCounts: Readonly<MediaInsights> = {
  ...{ likes: 0, comments: 0, shares: 0, saves: 0 },
  ...{ reach: 0, impressions: 0, plays: 0 },
};

interface Question {
  edge?: 'insights';
  query: Record<string, string>;
}

const summaryOf = (edge: string) => `${edge}.limit(0).summary(total_count)`;

/**
 * What is asked of each kind, in one request:
 * - Instagram: https://developers.facebook.com/docs/instagram-platform/reference/instagram-media/insights. `views` took
 *   the place of `impressions` and `plays` with v22; stories count replies, and no likes.
 * - posts of pages: reactions, comments and shares are fields of the post; `post_media_view` and
 *   `post_total_media_view_unique` took the place of `post_impressions` and its `_unique` in November 2025:
 *   https://developers.facebook.com/documentation/pages-api/platforminsights/page/deprecated-metrics
 * - videos of pages: https://developers.facebook.com/docs/video-api/guides/insights. How often one was shared is said
 *   nowhere.
 */
export const questions: Readonly<Record<MeasuredKind, Question>> = {
  'instagram-feed': { edge: 'insights', query: { metric: 'likes,comments,shares,saved,reach,views' } },
  'instagram-reel': { edge: 'insights', query: { metric: 'likes,comments,shares,saved,reach,views' } },
  'instagram-story': { edge: 'insights', query: { metric: 'replies,shares,reach,views' } },
  'page-post': {
    query: {
      fields: `shares,${summaryOf('reactions')},${summaryOf('comments')},insights.metric(post_media_view,post_total_media_view_unique)`,
    },
  },
  'page-video': {
    query: {
      fields: `${summaryOf('likes')},${summaryOf('comments')},video_insights.metric(total_video_views,total_video_views_unique)`,
    },
  },
};

const Metrics = z.object({
  data: z.array(
    z.object({
      name: z.string(),
      values: z.array(z.object({ value: z.unknown() })).default([]),
      total_value: z.object({ value: z.unknown() }).optional(),
    }),
  ),
});
const Summary = z.object({ summary: z.object({ total_count: z.number().default(0) }).optional() }).optional();
const PageObject = z.object({
  shares: z.object({ count: z.number().default(0) }).optional(),
  likes: Summary,
  reactions: Summary,
  comments: Summary,
  insights: Metrics.optional(),
  video_insights: Metrics.optional(),
});

const TooFewViewers = z.object({
  error: z.object({ code: z.literal(10), message: z.string().regex(/not enough viewers/i) }),
});

/** Of a story that fewer than five have seen Meta says nothing, with the code of a missing permission. */
export function hasTooFewViewers(body: unknown): boolean {
  return TooFewViewers.safeParse(body).success;
}

/** The counts of an answer to the kind's question; nothing when it is of another shape. */
export function countsOf(kind: MeasuredKind, body: unknown): MediaInsights | undefined {
  return kind === 'page-post' || kind === 'page-video' ? countsOfPage(body) : countsOfInstagram(kind, body);
}

function countsOfInstagram(kind: MeasuredKind, body: unknown): MediaInsights | undefined {
  const parsed = Metrics.safeParse(body);
  if (!parsed.success) return undefined;
  const metric = metricsIn(parsed.data);
  return {
    likes: metric('likes'),
    comments: kind === 'instagram-story' ? metric('replies') : metric('comments'),
    shares: metric('shares'),
    saves: metric('saved'),
    reach: metric('reach'),
    impressions: metric('views'),
    plays: kind === 'instagram-reel' ? metric('views') : 0,
  };
}

function countsOfPage(body: unknown): MediaInsights | undefined {
  const parsed = PageObject.safeParse(body);
  if (!parsed.success) return undefined;
  const { shares, likes, reactions, comments, insights, video_insights } = parsed.data;
  const post = metricsIn(insights);
  const video = metricsIn(video_insights);
  return {
    likes: totalOf(reactions) + totalOf(likes),
    comments: totalOf(comments),
    shares: shares?.count ?? 0,
    saves: 0,
    reach: post('post_total_media_view_unique') + video('total_video_views_unique'),
    impressions: post('post_media_view') + video('total_video_views'),
    plays: video('total_video_views'),
  };
}

function totalOf(edge: z.infer<typeof Summary>): number {
  return edge?.summary?.total_count ?? 0;
}

/** A metric that Meta has no data of is left out of the list, rather than 0. */
function metricsIn(metrics: z.infer<typeof Metrics> | undefined): (name: string) => number {
  return (name) => {
    const metric = metrics?.data.find((one) => one.name === name);
    const value = metric?.total_value?.value ?? metric?.values.at(-1)?.value;
    return typeof value === 'number' && value > 0 ? Math.trunc(value) : 0;
  };
}
