import { z } from 'zod';
import { longestText } from '../../../integrations/meta/meta-messaging.js';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { messageStates } from '../conversations/message-states.js';

/** Of the longer of both channels; the other's limit is known once the conversation is. */
const Text = z
  .string()
  .min(1)
  .max(longestText.messenger)
  .refine((text) => text.trim() !== '', 'is blank')
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'holds what is no text')
  .meta({
    description: `At most ${longestText.messenger} characters on Messenger, and ${longestText.instagram} bytes of UTF-8 on Instagram.`,
  });

/** Meta's servers fetch it: a password in the address would go with it, and into their logs. */
const FileUrl = z
  .url({ protocol: /^https?$/ })
  .max(2_000)
  .refine((text) => URL.canParse(text) && !new URL(text).username && !new URL(text).password, 'holds a password');

const Tag = z.literal('HUMAN_AGENT').meta({
  description:
    'A person answers, later than 24 hours and within seven days of what was written last. Only where the app has been granted it.',
});

export const NewMessage = z
  .strictObject({
    text: Text.optional(),
    attachment: z
      .strictObject({ type: z.enum(['image', 'file']), url: FileUrl })
      .optional()
      .meta({ description: 'In place of a text. Meta fetches it from its address, which is public and https.' }),
    tag: Tag.optional(),
  })
  .refine(({ text, attachment }) => (text === undefined) !== (attachment === undefined), {
    path: ['text'],
    message: 'is needed, or an attachment, and not both',
  })
  .meta({ id: 'NewMessage' });
export type NewMessage = z.infer<typeof NewMessage>;

export const MessageRetry = z
  .strictObject({
    confirmNotSent: z.boolean().default(false).meta({
      description: 'Somebody has looked: a message whose outcome is unknown does not stand in the conversation.',
    }),
    tag: Tag.optional(),
  })
  .meta({ id: 'MessageRetry' });
export type MessageRetry = z.infer<typeof MessageRetry>;

/**
 * A message that waits to be sent. Not what it says: the answer to a request with an `Idempotency-Key` is stored, and no
 * text of a message rests unsealed.
 */
export const QueuedMessage = z
  .object({
    id: Uuid,
    conversationId: Uuid,
    channel: z.enum(['messenger', 'instagram']),
    status: z.enum(messageStates),
    tag: Tag.nullable(),
    retryOf: Uuid.nullable().meta({ description: 'The failed message in whose place it is sent.' }),
    createdAt: Timestamp,
  })
  .meta({ id: 'QueuedMessage' });
export type QueuedMessage = z.input<typeof QueuedMessage>;
