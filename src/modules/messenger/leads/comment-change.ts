import { z } from 'zod';

const MetaId = z.string().regex(/^[\w-]{1,128}$/);

/**
 * One change of the field `comments`: https://developers.facebook.com/docs/instagram-platform/webhooks/examples. Whoever
 * wrote it is named by an id of this account's own, the one that messages name too.
 */
const CommentChange = z.object({
  field: z.literal('comments'),
  value: z.object({
    id: MetaId,
    from: z.object({ id: MetaId, username: z.string().max(200).nullish() }),
    media: z.object({ id: MetaId }),
    text: z.string().max(10_000),
  }),
});

export interface Comment {
  id: string;
  mediaId: string;
  commenterId: string;
  username: string | null;
  text: string;
}

/** Nothing for a change of another field, and for a comment that says nothing or of which Meta does not tell enough. */
export function commentIn(change: unknown): Comment | undefined {
  const parsed = CommentChange.safeParse(change);
  if (!parsed.success) return undefined;
  const { id, from, media, text } = parsed.data.value;
  // A text of PostgreSQL holds no NUL, and neither does anything that somebody meant.
  return {
    id,
    mediaId: media.id,
    commenterId: from.id,
    username: from.username?.replaceAll('\0', '') || null,
    text,
  };
}
