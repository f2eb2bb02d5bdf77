import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp, TimeZone, Uuid } from '../../../kernel/http/primitives.js';

const Rate = z.string().meta({
  description: '(likes + comments + shares + saves) / reach, in percent with two places; 0.00 without reach.',
  examples: ['4.25'],
});

const counts = {
  likesCount: z.number(),
  commentsCount: z.number(),
  sharesCount: z.number(),
  savesCount: z.number(),
  reach: z.number(),
  impressions: z.number(),
  playsCount: z.number(),
};
const Counts = z.object({ ...counts, engagementRate: Rate });

const Platform = z.enum(['instagram', 'facebook']);

const PostPerformance = z
  .object({
    id: Uuid,
    socialAccountId: Uuid,
    platform: Platform,
    postType: z.enum(['feed', 'reel', 'story', 'carousel']),
    contentType: z.enum(['video', 'image']),
    caption: z.string(),
    thumbnailUrl: z.string().nullable(),
    platformUrl: z.string().nullable(),
    publishedAt: Timestamp,
    ...counts,
    engagementRate: Rate,
    lastAnalyticsSync: Timestamp.nullable().meta({ description: 'When Meta was asked; null before the first time.' }),
    analyticsAvailable: z.boolean().meta({ description: 'False once Meta counts it no more.' }),
  })
  .meta({ id: 'PostPerformance' });
export type PostPerformance = z.input<typeof PostPerformance>;

const BestTime = z.object({
  weekday: z.int().min(1).max(7).meta({ description: 'ISO 8601: 1 is Monday.' }),
  hour: z.int().min(0).max(23),
  posts: z.int(),
  engagementRate: Rate,
});

const PerformanceSummary = z
  .object({
    posts: z.int(),
    ...counts,
    engagementRate: Rate.meta({ description: 'Of all posts together, weighted by their reach.' }),
    bestTimes: z.array(BestTime).meta({
      description: 'The up to three hours of the week, in `timeZone`, whose posts engaged most.',
    }),
  })
  .meta({ id: 'PerformanceSummary' });
export type PerformanceSummary = z.input<typeof PerformanceSummary>;

export const PostsPerformance = pageOf(PostPerformance, 'PostsPerformance')
  .extend({ summary: PerformanceSummary.nullable().meta({ description: 'Of all pages; on the first one only.' }) })
  .meta({ id: 'PostsPerformance' });
export type PostsPerformance = z.input<typeof PostsPerformance>;

export const performanceSorts = [
  'engagement',
  'reach',
  'impressions',
  'likes',
  'comments',
  'shares',
  'saves',
  'plays',
  'publishedAt',
] as const;
export type PerformanceSort = (typeof performanceSorts)[number];

export const PerformanceQuery = pageQuery.extend({
  days: z.coerce.number().int().min(1).max(365).default(30).meta({ description: 'Posts published since then.' }),
  sort: z.enum(performanceSorts).default('engagement').meta({ description: 'Highest, or latest, first.' }),
  platform: Platform.optional(),
  accountId: Uuid.optional(),
  timeZone: TimeZone.default('UTC'),
});
export type PerformanceQuery = z.infer<typeof PerformanceQuery>;

const Day = z.iso.date().refine((day) => day >= '2000-01-01' && day <= '2199-12-31', 'must be between 2000 and 2199');

export const PostAnalyticsQuery = z
  .strictObject({
    from: Day.optional().meta({ description: 'A day in UTC.' }),
    to: Day.optional().meta({ description: 'A day in UTC, included.' }),
    resolution: z
      .enum(['all', 'day', 'week'])
      .default('all')
      .meta({ description: 'Every snapshot, or the last one of each day or week (from Monday) in UTC.' }),
  })
  .refine(({ from, to }) => !from || !to || from <= to, { path: ['to'], message: 'comes before from' });
export type PostAnalyticsQuery = z.infer<typeof PostAnalyticsQuery>;

const AnalyticsPoint = z.object({
  snapshotAt: Timestamp,
  hoursSincePublished: z.number(),
  ...counts,
  engagementRate: Rate,
  gained: z.object(counts).meta({ description: 'Since the point before; Meta takes some counts back again.' }),
});

export const PostAnalytics = z
  .object({
    postId: Uuid,
    publishedAt: Timestamp.nullable(),
    lastAnalyticsSync: Timestamp.nullable(),
    analyticsAvailable: z.boolean(),
    latest: Counts,
    points: z.array(AnalyticsPoint).meta({ description: 'Oldest first.' }),
  })
  .meta({ id: 'PostAnalytics' });
export type PostAnalytics = z.input<typeof PostAnalytics>;
export type AnalyticsPoint = z.input<typeof AnalyticsPoint>;
