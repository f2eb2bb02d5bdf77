import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { conversationStates } from './conversation-states.js';

export const Channel = z.enum(['messenger', 'instagram']);
const Status = z.enum(conversationStates);

const Window = z
  .object({
    isOpen: z.boolean(),
    closesAt: Timestamp.nullable().meta({
      description: '24 hours after what the other side wrote last; null where they have never written.',
    }),
    humanAgentUntil: Timestamp.nullable().meta({
      description:
        'Until then a person may answer with the tag `HUMAN_AGENT`; null where the app has not been granted it.',
    }),
  })
  .meta({ id: 'MessagingWindow', description: 'In which Meta lets one answer.' });

export const Conversation = z
  .object({
    id: Uuid,
    channel: Channel,
    pageId: z.string().meta({ description: 'The page, or the Instagram account, at Meta.' }),
    participantName: z.string().nullable().meta({ description: 'Null until Meta has told it.' }),
    ownerId: Uuid.meta({ description: 'Who answers at the page.' }),
    clinicId: Uuid.nullable(),
    status: Status,
    assignedTo: Uuid.nullable(),
    unreadCount: z.int().meta({ description: 'What came in since somebody here last read.' }),
    lastMessageAt: Timestamp.nullable(),
    lastCustomerMessageAt: Timestamp.nullable(),
    readAt: Timestamp.nullable(),
    window: Window,
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Conversation' });
export type Conversation = z.input<typeof Conversation>;

export const Conversations = pageOf(Conversation, 'Conversations');
export type Conversations = z.input<typeof Conversations>;

export const ConversationsQuery = pageQuery.extend({
  status: Status.optional(),
  channel: Channel.optional(),
  unread: z.enum(['true', 'false']).optional().meta({ description: 'Whether something came in that nobody has read.' }),
  assigned: z
    .union([z.enum(['me', 'none']), Uuid])
    .optional()
    .meta({ description: '`me`, `none`, or the id of a colleague.' }),
  q: z.string().trim().min(1).max(100).optional().meta({
    description: 'Part of the name of whoever writes, in capitals or not. What was written is not searched.',
  }),
});
export type ConversationsQuery = z.infer<typeof ConversationsQuery>;

export const ConversationChanges = z
  .strictObject({
    status: Status,
    assignedTo: Uuid.nullable().meta({
      description: 'Somebody with `staff` or above in its clinic; by the owner alone.',
    }),
  })
  .partial()
  .meta({ id: 'ConversationChanges' });
export type ConversationChanges = z.infer<typeof ConversationChanges>;
