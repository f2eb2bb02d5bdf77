import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp, TimeZone, Uuid } from '../../../kernel/http/primitives.js';
import { postStates, waitingReasons } from './post-states.js';

export const Platform = z.enum(['instagram', 'facebook']);
export const PostState = z.enum(postStates);
const PostType = z.enum(['feed', 'reel', 'story', 'carousel']);
const ContentType = z.enum(['video', 'image']);

/** bigint arrives as text; what a page collects stays far below 2^53. */
const Count = z.preprocess(Number, z.int().min(0));

export const Post = z
  .object({
    id: Uuid,
    organisationId: Uuid,
    socialAccountId: Uuid,
    platform: Platform,
    contentType: ContentType,
    contentId: Uuid.nullable().meta({ description: 'The video that it shows.' }),
    contentUrl: z.string().nullable(),
    thumbnailUrl: z.string().nullable(),
    caption: z.string(),
    postType: PostType,
    children: z.array(z.string()).meta({ description: 'The images and videos of a carousel, in their order.' }),
    hashtags: z.array(z.string()),
    locationId: z.string().nullable(),
    shareToFeed: z.boolean(),
    status: PostState,
    scheduledFor: Timestamp.nullable(),
    nextAttemptAt: Timestamp.nullable().meta({
      description: 'When a worker looks at it next; null while it is paused.',
    }),
    waitingReason: z.enum(waitingReasons).nullable().meta({ description: 'Why it waits beyond its time.' }),
    publishedAt: Timestamp.nullable(),
    platformPostId: z.string().nullable(),
    platformUrl: z.string().nullable().meta({ description: 'Where it stands, as Meta says.' }),
    errorCode: z.string().nullable(),
    errorMessage: z.string().nullable(),
    retryCount: z.int(),
    maxRetries: z.int(),
    likesCount: Count,
    commentsCount: Count,
    sharesCount: Count,
    savesCount: Count,
    reach: Count,
    impressions: Count,
    playsCount: Count,
    engagementRate: z.string().meta({ description: 'Percent of those reached, two places.' }),
    lastAnalyticsSync: Timestamp.nullable(),
    analyticsAvailable: z.boolean(),
    createdBy: Uuid.nullable(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'SocialPost' });
export type Post = z.input<typeof Post>;

export const Posts = pageOf(Post, 'SocialPosts');
export type Posts = z.input<typeof Posts>;

/** A calendar day; with a zone, the day there. */
const Day = z.iso.date();
const zone = TimeZone.default('UTC').meta({ description: 'Whose days `from` and `to` are.' });

export const PostsQuery = pageQuery.extend({
  status: PostState.optional().meta({ description: 'Deleted posts are listed only when they are asked for.' }),
  platform: Platform.optional(),
  accountId: Uuid.optional(),
  from: Day.optional().meta({ description: 'The first day for which it is scheduled.' }),
  to: Day.optional().meta({ description: 'The last day, included.' }),
  timeZone: zone,
});
export type PostsQuery = z.infer<typeof PostsQuery>;

/** Meta's servers fetch it: a password in the address would go with it, and into their logs. */
export const MediaUrl = z
  .url({ protocol: /^https?$/ })
  .max(2_000)
  .refine((text) => URL.canParse(text) && !new URL(text).username && !new URL(text).password, 'holds a password');

/** Code points, as the database counts them. */
const atMost = (most: number) => (text: string) => [...text].length <= most;
const Caption = z
  .string()
  .refine(atMost(2_200), 'has more than 2200 characters')
  .refine((text) => !text.includes('\0'), 'holds a NUL')
  .meta({ maxLength: 2_200 });

/** What Instagram links: letters of any script, digits, underscores, emoji; nothing that would end the tag. */
const Hashtag = z
  .string()
  .regex(/^[\p{L}\p{M}\p{N}_\p{Extended_Pictographic}\u200d]{1,100}$/u, 'is not a hashtag without its #')
  .meta({ examples: ['dentist'] });

export const PostChanges = z
  .strictObject({
    socialAccountId: Uuid,
    contentType: ContentType,
    contentId: Uuid.nullable().meta({ description: 'A video of the organisation; its address is taken from there.' }),
    contentUrl: MediaUrl.nullable(),
    thumbnailUrl: MediaUrl.nullable(),
    caption: Caption,
    postType: PostType,
    children: z.array(MediaUrl).max(10),
    hashtags: z.array(Hashtag).max(30),
    locationId: z
      .string()
      .regex(/^\d{1,40}$/, 'is not the id of a place')
      .nullable(),
    shareToFeed: z.boolean(),
    maxRetries: z.int().min(0).max(10),
  })
  .partial()
  .meta({ id: 'SocialPostChanges' });
export type PostChanges = z.infer<typeof PostChanges>;

export const NewPost = PostChanges.required({ socialAccountId: true }).meta({ id: 'NewSocialPost' });
export type NewPost = z.infer<typeof NewPost>;

/** What a calendar shows of a post. */
export const CalendarPost = z
  .object({
    id: Uuid,
    socialAccountId: Uuid,
    platform: Platform,
    contentType: ContentType,
    contentUrl: z.string().nullable(),
    thumbnailUrl: z.string().nullable(),
    caption: z.string(),
    postType: PostType,
    status: PostState,
    scheduledFor: Timestamp,
    publishedAt: Timestamp.nullable(),
    platformUrl: z.string().nullable(),
    waitingReason: z.enum(waitingReasons).nullable(),
    errorCode: z.string().nullable(),
  })
  .meta({ id: 'CalendarPost' });
export type CalendarPost = z.input<typeof CalendarPost>;

const longestCalendarDays = 92;
const dayMs = 86_400_000;

export const CalendarQuery = z
  .strictObject({ from: Day, to: Day, timeZone: zone })
  .refine(({ from, to }) => from <= to, { path: ['to'], message: 'lies before from' })
  .refine(({ from, to }) => Date.parse(to) - Date.parse(from) < longestCalendarDays * dayMs, {
    path: ['to'],
    message: `makes it more than ${longestCalendarDays} days`,
  });
export type CalendarQuery = z.infer<typeof CalendarQuery>;

export const Calendar = z
  .object({
    data: z.array(CalendarPost),
    isComplete: z.boolean().meta({ description: 'False where there are more than 5,000: ask for fewer days.' }),
  })
  .meta({ id: 'PostCalendar' });
export type Calendar = z.input<typeof Calendar>;

export const UpcomingPosts = pageOf(CalendarPost, 'UpcomingPosts');
export type UpcomingPosts = z.input<typeof UpcomingPosts>;
export const UpcomingQuery = pageQuery;
export type UpcomingQuery = z.infer<typeof UpcomingQuery>;
