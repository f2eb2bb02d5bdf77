import { Module } from '@nestjs/common';
import { MetaModule } from '../../../integrations/meta/meta.module.js';
import { ConnectionsModule } from '../connections/connections.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { CommentEvents } from './comment-events.js';
import { LeadSeals } from './lead-seals.js';
import { LeadsController } from './leads.controller.js';
import { LeadsJobs } from './leads.jobs.js';
import { LeadsService } from './leads.service.js';
import { ReplyRequests } from './reply-requests.service.js';
import { ReplySender } from './reply-sender.js';
import { ReplyStore } from './reply-store.js';
import { SentReplies } from './sent-replies.js';

/** Comments that show an intent to book. */
@Module({
  imports: [ConnectionsModule, ConversationsModule, MetaModule],
  controllers: [LeadsController],
  providers: [CommentEvents, LeadSeals, LeadsJobs, LeadsService, ReplyRequests, ReplySender, ReplyStore, SentReplies],
  exports: [CommentEvents],
})
export class LeadsModule {}
