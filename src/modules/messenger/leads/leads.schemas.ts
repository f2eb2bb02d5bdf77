import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { leadStates, replyErrors, replyKinds, replyStates } from './lead-states.js';
import { PrivateReplyText, PublicReplyText } from './lead-texts.js';

const State = z.enum(leadStates);

export const CommentReply = z
  .object({
    id: Uuid,
    kind: z.enum(replyKinds),
    status: z.enum(replyStates),
    sentBy: z.enum(['user', 'automation']),
    errorCode: z.enum(replyErrors).nullable(),
    askedAt: Timestamp,
    sentAt: Timestamp.nullable(),
  })
  .meta({ id: 'CommentReply' });
export type CommentReply = z.input<typeof CommentReply>;

export const Lead = z
  .object({
    id: Uuid,
    state: State,
    mediaId: z.string().meta({ description: 'The post at Instagram.' }),
    commentId: z.string(),
    username: z.string().nullable(),
    text: z.string().nullable().meta({ description: 'Null once the comment is gone on Instagram.' }),
    commentedAt: Timestamp,
    deletedAt: Timestamp.nullable(),
    privateReplyUntil: Timestamp,
    publicReply: CommentReply.nullable(),
    privateReply: CommentReply.nullable(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Lead' });
export type Lead = z.input<typeof Lead>;

export const Leads = pageOf(Lead, 'Leads');
export type Leads = z.input<typeof Leads>;
export const LeadsQuery = pageQuery.extend({ state: State.optional() });
export type LeadsQuery = z.infer<typeof LeadsQuery>;

export const LeadChanges = z.strictObject({ state: State }).meta({ id: 'LeadChanges' });
export type LeadChanges = z.infer<typeof LeadChanges>;

const confirmNotSent = z
  .boolean()
  .default(false)
  .meta({ description: 'Somebody has looked on Instagram: a reply whose outcome was unknown does not stand there.' });
export const NewPublicReply = z.strictObject({ text: PublicReplyText, confirmNotSent }).meta({ id: 'NewPublicReply' });
export const NewPrivateReply = z
  .strictObject({ text: PrivateReplyText, confirmNotSent })
  .meta({ id: 'NewPrivateReply' });
export type NewReply = z.infer<typeof NewPublicReply>;
