import { z } from 'zod';
import { TimeZone } from '../../../kernel/http/primitives.js';
import { Post } from './posts.schemas.js';

const twoWays = 'is needed, either as scheduledFor or as localTime with timeZone';

/** A point in time with its offset, or the time of a clinic's clock. */
export const ScheduleRequest = z
  .strictObject({
    scheduledFor: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ examples: ['2026-12-01T09:00:00+01:00'] }),
    localTime: z
      .string()
      .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/, 'is not a local time, YYYY-MM-DDTHH:MM')
      .optional()
      .meta({ description: 'With `timeZone`, in place of `scheduledFor`.', examples: ['2026-12-01T09:00'] }),
    timeZone: TimeZone.optional(),
  })
  .refine(({ scheduledFor, localTime }) => (scheduledFor === undefined) !== (localTime === undefined), {
    path: ['scheduledFor'],
    message: twoWays,
  })
  .refine(({ localTime, timeZone }) => (localTime === undefined) === (timeZone === undefined), {
    path: ['timeZone'],
    message: 'goes with localTime, which it needs',
  })
  .meta({ id: 'ScheduleRequest' });
export type ScheduleRequest = z.infer<typeof ScheduleRequest>;

export const RetryRequest = z
  .strictObject({
    confirmNotPublished: z
      .boolean()
      .default(false)
      .meta({ description: 'Somebody has looked: a post whose outcome is unknown does not stand on the page.' }),
  })
  .meta({ id: 'RetryRequest' });
export type RetryRequest = z.infer<typeof RetryRequest>;

export const warningCodes = [
  'ambiguous-local-time',
  'caption-not-shown',
  'close-to-another-post',
  'media-not-measured',
  'publishing-limit-reached',
  'same-content-within-a-day',
] as const;

export const Warning = z
  .object({
    code: z.enum(warningCodes),
    message: z.string(),
    postId: z.uuid().optional().meta({ description: 'The other post.' }),
  })
  .meta({ id: 'PostWarning' });
export type Warning = z.infer<typeof Warning>;

export const PublishingLimit = z
  .object({
    used: z.int(),
    total: z.int(),
    windowSeconds: z.int().meta({ description: 'The posts are counted over so long, moving on.' }),
  })
  .meta({ id: 'PublishingLimit' });
export type PublishingLimit = z.infer<typeof PublishingLimit>;

export const AccountPublishingLimit = z
  .object({ publishingLimit: PublishingLimit.nullable() })
  .meta({ id: 'AccountPublishingLimit' });
export type AccountPublishingLimit = z.infer<typeof AccountPublishingLimit>;

/** A post that waits for its time. Warnings refuse nothing. */
export const ScheduledPost = Post.extend({
  warnings: z.array(Warning),
  publishingLimit: PublishingLimit.nullable().meta({
    description: 'How many posts Instagram still takes, as it says now; null where there is no limit, or no answer.',
  }),
}).meta({ id: 'ScheduledPost' });
export type ScheduledPost = z.input<typeof ScheduledPost>;
