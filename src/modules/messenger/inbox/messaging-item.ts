import { z } from 'zod';
import type { Attachment } from '../conversations/message-texts.js';

/**
 * One item of `entry[].messaging[]` and `entry[].standby[]`, as far as it means something here:
 * https://developers.facebook.com/docs/messenger-platform/reference/webhook-events and
 * https://developers.facebook.com/docs/messenger-platform/instagram/features/webhook
 *
 * Meta adds fields and kinds without notice, so everything else is passed over. Of what a message has beside its id,
 * whatever is not as documented counts as missing: a message must not be lost for its decoration.
 */

/** Meta writes ids as strings; the test button of an app's dashboard sends numbers. */
const Id = z
  .union([z.string(), z.number()])
  .transform(String)
  .pipe(z.string().regex(/^\d{1,40}$/));

/** Of a message: opaque, and printable. What is longer than an index takes is none. */
const Mid = z.string().regex(/^[\x20-\x7e]{1,512}$/);

const latestMs = Date.UTC(2100, 0);

/** Milliseconds, in the dashboard's examples also seconds and strings. */
const Instant = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\d{1,13}$/)
      .transform(Number),
  ])
  .transform((given) => (given < 1e11 ? given * 1_000 : given))
  .pipe(z.number().positive().max(latestMs))
  .transform((ms) => new Date(ms))
  .optional()
  .catch(undefined);

const Words = z.string().optional().catch(undefined);
const Flag = z.boolean().catch(false);

const Url = z.object({ url: z.string().nullable().catch(null) }).catch({ url: null });

/** The address stands in the payload, of a link that was shared beside it. */
const AttachmentItem = z
  .object({ type: z.string().max(64), url: z.string().nullable().catch(null), payload: Url })
  .transform(({ type, url, payload }): Attachment => ({ type, url: payload.url ?? url }))
  .catch({ type: 'unknown', url: null });

const Story = z.object({ story: z.object({ url: z.string().nullable().catch(null) }) });

const Message = z.object({
  mid: Mid,
  text: Words,
  attachments: z.array(AttachmentItem).catch([]),
  is_echo: Flag,
  is_deleted: Flag,
  is_unsupported: Flag,
  app_id: z
    .union([z.string(), z.number().transform(String)])
    .optional()
    .catch(undefined),
  metadata: Words,
  reply_to: Story.optional().catch(undefined),
});

/** A word or the sign itself: `love`, or a heart. */
const Sign = z
  .string()
  .regex(/^\P{C}{1,32}$/u)
  .optional()
  .catch(undefined);

const Party = z.object({ id: Id });

export const MessagingItem = z.object({
  sender: Party,
  recipient: Party.optional().catch(undefined),
  timestamp: Instant,
  message: Message.optional(),
  postback: z.object({ mid: Mid.optional().catch(undefined), title: Words }).optional(),
  reaction: z.object({ mid: Mid, action: z.enum(['react', 'unreact']), emoji: Sign, reaction: Sign }).optional(),
  delivery: z.object({ mids: z.array(Mid).catch([]), watermark: Instant }).optional(),
  read: z.object({ watermark: Instant, mid: Mid.optional().catch(undefined) }).optional(),
});
export type MessagingItem = z.infer<typeof MessagingItem>;

/** What is shown of a message: also that there is something which Meta does not tell of, and what story it answers. */
export function attachmentsOf({ attachments, reply_to, is_unsupported }: z.infer<typeof Message>): Attachment[] {
  const story: Attachment[] = reply_to ? [{ type: 'story_reply', url: reply_to.story.url }] : [];
  const untold: Attachment[] = is_unsupported && attachments.length === 0 ? [{ type: 'unsupported', url: null }] : [];
  return [...attachments, ...story, ...untold];
}
