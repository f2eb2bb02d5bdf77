import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { MediaUrl } from '../posts/posts.schemas.js';

const Mode = z.enum(['upload', 'text-to-video', 'image-to-video']);
const Status = z.enum(['draft', 'processing', 'ready', 'failed']);

export const Video = z
  .object({
    id: Uuid,
    organisationId: Uuid,
    prompt: z.string(),
    mode: Mode,
    status: Status,
    videoUrl: z.string().nullable(),
    thumbnailUrl: z.string().nullable(),
    postedToSocial: z.boolean(),
    postCount: z.int().meta({ description: 'Published posts that show it.' }),
    createdBy: Uuid.nullable(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'SocialVideo' });
export type Video = z.input<typeof Video>;

export const Videos = pageOf(Video, 'SocialVideos');
export type Videos = z.input<typeof Videos>;

export const VideosQuery = pageQuery.extend({
  posted: z.enum(['true', 'false']).optional().meta({ description: 'Whether a published post shows it.' }),
  status: Status.optional(),
});
export type VideosQuery = z.infer<typeof VideosQuery>;

export const VideoChanges = z
  .strictObject({
    prompt: z
      .string()
      .trim()
      .min(1)
      .refine((text) => [...text].length <= 4_000, 'has more than 4000 characters')
      .refine((text) => !text.includes('\0'), 'holds a NUL')
      .meta({ maxLength: 4_000, description: 'The words that it was made from, or a title.' }),
    mode: Mode,
    status: Status.meta({ description: 'A video is `ready` once it has an address.' }),
    videoUrl: MediaUrl.nullable(),
    thumbnailUrl: MediaUrl.nullable(),
  })
  .partial()
  .meta({ id: 'SocialVideoChanges' });
export type VideoChanges = z.infer<typeof VideoChanges>;

export const NewVideo = VideoChanges.required({ prompt: true }).meta({ id: 'NewSocialVideo' });
export type NewVideo = z.infer<typeof NewVideo>;
