import { Body, Controller, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { signedIn } from '../../../kernel/tenancy/access.js';
import { NotConnected } from '../messenger.errors.js';
import {
  AlreadyReplied,
  CommentGone,
  LeadStateInvalid,
  PrivateReplyTooLate,
  ReplyOutcomeUnknown,
} from './leads.errors.js';
import {
  CommentReply,
  Lead,
  LeadChanges,
  Leads,
  LeadsQuery,
  NewPrivateReply,
  NewPublicReply,
  type NewReply,
} from './leads.schemas.js';
import { LeadsService } from './leads.service.js';
import { ReplyRequests } from './reply-requests.service.js';

const asksOnce = [AlreadyReplied, ReplyOutcomeUnknown, CommentGone, LeadStateInvalid, NotConnected] as const;

@ApiTags('messenger')
@Controller('messenger/leads')
export class LeadsController {
  constructor(
    private readonly leads: LeadsService,
    private readonly replies: ReplyRequests,
  ) {}

  @Get()
  @Operation({
    id: 'listLeads',
    summary: 'List the comments whose writers seem to want an appointment, newest first',
    description: "The caller's own: comments under the posts of the Instagram account that they have connected.",
    access: signedIn,
    answers: Leads,
    refusals: [InvalidCursor],
  })
  list(@Query({ schema: LeadsQuery }) query: LeadsQuery): Promise<Leads> {
    return this.leads.list(query);
  }

  @Get(':leadId')
  @Operation({ id: 'getLead', summary: 'Read a lead', access: signedIn, answers: Lead })
  get(@Param('leadId', { schema: Uuid }) leadId: string): Promise<Lead> {
    return this.leads.get(leadId);
  }

  @Patch(':leadId')
  @Operation({
    id: 'updateLead',
    summary: 'Mark a lead as contacted or dismissed, or take that back',
    access: signedIn,
    answers: Lead,
    refusals: [LeadStateInvalid],
  })
  change(
    @Param('leadId', { schema: Uuid }) leadId: string,
    @Body({ schema: LeadChanges }) { state }: LeadChanges,
  ): Promise<Lead> {
    return this.leads.change(leadId, state);
  }

  @Post(':leadId/public-reply')
  @Operation({
    id: 'replyToLeadPublicly',
    summary: 'Reply below the comment, for all to see',
    description: 'Once for each comment. It is sent a moment later; `publicReply` of the lead says what became of it.',
    access: signedIn,
    status: 202,
    answers: CommentReply,
    idempotent: true,
    refusals: asksOnce,
  })
  replyPublicly(
    @Param('leadId', { schema: Uuid }) leadId: string,
    @Body({ schema: NewPublicReply }) body: NewReply,
  ): Promise<CommentReply> {
    return this.replies.ask(leadId, 'public', body);
  }

  @Post(':leadId/private-reply')
  @Operation({
    id: 'replyToLeadPrivately',
    summary: 'Write a message to whoever commented',
    description:
      'Once for each comment, within seven days of it. It opens no conversation by itself: further messages need an ' +
      'answer first.',
    access: signedIn,
    status: 202,
    answers: CommentReply,
    idempotent: true,
    refusals: [...asksOnce, PrivateReplyTooLate],
  })
  replyPrivately(
    @Param('leadId', { schema: Uuid }) leadId: string,
    @Body({ schema: NewPrivateReply }) body: NewReply,
  ): Promise<CommentReply> {
    return this.replies.ask(leadId, 'private', body);
  }
}
