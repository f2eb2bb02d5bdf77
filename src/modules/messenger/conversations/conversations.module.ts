import { Module } from '@nestjs/common';
import { Assignees } from './assignees.js';
import { ConversationsController } from './conversations.controller.js';
import { ConversationsService } from './conversations.service.js';
import { MessageTexts } from './message-texts.js';
import { MessagesService } from './messages.service.js';
import { ReadTraces } from './read-traces.js';

/** Conversations as people read and keep them. */
@Module({
  controllers: [ConversationsController],
  providers: [Assignees, ConversationsService, MessagesService, MessageTexts, ReadTraces],
  exports: [MessagesService, MessageTexts, ReadTraces],
})
export class ConversationsModule {}
