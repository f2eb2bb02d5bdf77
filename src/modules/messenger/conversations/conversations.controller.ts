import { Body, Controller, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Forbidden, InvalidCursor, NotFound, PreconditionFailed } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { signedIn } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { conversationStamp } from './conversation-rows.js';
import { AssigneeNotInClinic, ConversationClosed } from './conversations.errors.js';
import { Conversation, ConversationChanges, Conversations, ConversationsQuery } from './conversations.schemas.js';
import { ConversationsService } from './conversations.service.js';
import { Messages, MessagesQuery } from './messages.schemas.js';
import { MessagesService } from './messages.service.js';

const traced = 'A colleague to whom a conversation is assigned leaves a trace in the audit log.';

@ApiTags('messenger')
@Controller('messenger/conversations')
export class ConversationsController {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly messages: MessagesService,
  ) {}

  @Get()
  @Operation({
    id: 'listConversations',
    summary: 'List your conversations, and those that are assigned to you, by what was said last',
    description: traced,
    access: signedIn,
    answers: Conversations,
    refusals: [InvalidCursor],
    recordsReads: true,
  })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: ConversationsQuery }) query: ConversationsQuery,
  ): Promise<Conversations> {
    return this.conversations.list(caller, query);
  }

  @Get(':conversationId')
  @Operation({
    id: 'getConversation',
    summary: 'Read a conversation',
    description: traced,
    access: signedIn,
    answers: Conversation,
    etag: conversationStamp,
    refusals: [NotFound],
    recordsReads: true,
  })
  get(
    @CurrentCaller() caller: Caller,
    @Param('conversationId', { schema: Uuid }) conversationId: string,
  ): Promise<Conversation> {
    return this.conversations.get(caller, conversationId);
  }

  @Get(':conversationId/messages')
  @Operation({
    id: 'listMessages',
    summary: 'Read what was said in a conversation, newest first',
    description: traced,
    access: signedIn,
    answers: Messages,
    refusals: [InvalidCursor, NotFound],
    recordsReads: true,
  })
  listMessages(
    @CurrentCaller() caller: Caller,
    @Param('conversationId', { schema: Uuid }) conversationId: string,
    @Query({ schema: MessagesQuery }) query: MessagesQuery,
  ): Promise<Messages> {
    return this.messages.list(caller, conversationId, query);
  }

  @Post(':conversationId/read')
  @Operation({
    id: 'readConversation',
    summary: 'Say that you have read what came in',
    description: 'Meta is not told.',
    access: signedIn,
    status: 200,
    answers: Conversation,
    etag: conversationStamp,
    refusals: [NotFound],
  })
  markRead(
    @CurrentCaller() caller: Caller,
    @Param('conversationId', { schema: Uuid }) conversationId: string,
  ): Promise<Conversation> {
    return this.conversations.markRead(caller, conversationId);
  }

  @Patch(':conversationId')
  @Operation({
    id: 'updateConversation',
    summary: 'Snooze, close or open a conversation, or hand it to a colleague',
    description:
      'The owner alone hands it to somebody; whoever has it may do the rest. What the other side writes opens it.',
    access: signedIn,
    answers: Conversation,
    etag: conversationStamp,
    refusals: [AssigneeNotInClinic, ConversationClosed, Forbidden, NotFound, PreconditionFailed],
  })
  change(
    @CurrentCaller() caller: Caller,
    @Param('conversationId', { schema: Uuid }) conversationId: string,
    @Body({ schema: ConversationChanges }) body: ConversationChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<Conversation> {
    return this.conversations.change(caller, conversationId, body, ifMatch);
  }
}
