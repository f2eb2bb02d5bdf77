import { z } from 'zod';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { Channel } from './conversations.schemas.js';
import { messageStates } from './message-states.js';

const Attachment = z
  .object({
    type: z.string().meta({ description: '`image`, `video`, `audio`, `file`, `share`, ... as Meta names it.' }),
    url: z.string().nullable().meta({ description: 'At Meta, where it ends after some days.' }),
  })
  .meta({ id: 'MessageAttachment' });

export const Message = z
  .object({
    id: Uuid,
    conversationId: Uuid,
    channel: Channel,
    direction: z.enum(['in', 'out']),
    kind: z.enum(['message', 'postback']),
    text: z.string().nullable(),
    attachments: z.array(Attachment),
    isReadable: z.boolean().meta({ description: 'False where it rests under a key that this installation has lost.' }),
    sentBy: z
      .enum(['user', 'automation'])
      .nullable()
      .meta({ description: "Of one that went out; null of one that was written in Meta's own inbox." }),
    sentByUserId: Uuid.nullable(),
    status: z.enum(messageStates).meta({ description: 'docs/messenger/conversations.md has the transitions.' }),
    errorCode: z.string().nullable(),
    tag: z.enum(['HUMAN_AGENT']).nullable(),
    retryOf: Uuid.nullable().meta({ description: 'The failed message in whose place it was sent.' }),
    reaction: z.string().nullable().meta({ description: 'An emoji that the other side has put on it.' }),
    platformMessageId: z.string().nullable().meta({ description: 'Its id at Meta, once it has one.' }),
    platformTimestamp: Timestamp.meta({ description: 'By which messages are ordered.' }),
    deletedAt: Timestamp.nullable().meta({
      description: 'When its writer took it back; then it says nothing any more.',
    }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Message' });
export type Message = z.input<typeof Message>;

export const Messages = z
  .object({
    data: z.array(Message).meta({ description: 'Newest first.' }),
    olderCursor: z
      .string()
      .nullable()
      .meta({ description: 'For `before`; null at the beginning of the conversation.' }),
    newerCursor: z.string().nullable().meta({
      description: 'For `after`, now or later; null in a conversation in which nothing has been said.',
    }),
  })
  .meta({ id: 'Messages' });
export type Messages = z.input<typeof Messages>;

const cursor = z.string().max(1_000).optional();

export const MessagesQuery = z
  .strictObject({
    limit: z.coerce.number().int().min(1).max(200).default(50),
    before: cursor.meta({
      description: 'An `olderCursor`: what was said before it. The newest of all without a cursor.',
    }),
    after: cursor.meta({ description: 'A `newerCursor`: what has been said since, the oldest of it.' }),
  })
  .refine(({ before, after }) => before === undefined || after === undefined, {
    path: ['after'],
    message: 'does not go together with before',
  });
export type MessagesQuery = z.infer<typeof MessagesQuery>;
