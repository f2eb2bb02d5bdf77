import { Module } from '@nestjs/common';
import { MetaModule } from '../../../integrations/meta/meta.module.js';
import { ConnectionsModule } from '../connections/connections.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { LeadsModule } from '../leads/leads.module.js';
import { SendingModule } from '../sending/sending.module.js';
import { ConversationEvents } from './conversation-events.js';
import { EventBatches } from './event-batches.js';
import { EventHandling } from './event-handling.js';
import { InboxJobs } from './inbox.jobs.js';
import { InboxConversations } from './inbox-conversations.js';
import { InboxMessages } from './inbox-messages.js';
import { InboxQueue } from './inbox-queue.js';
import { InboxSweep } from './inbox-sweep.js';
import { InboxWake } from './inbox-wake.js';
import { InboxWorker } from './inbox-worker.js';
import { MessageChanges } from './message-changes.js';
import { ParticipantNames } from './participant-names.js';
import { UnresolvedJobs } from './unresolved.jobs.js';
import { UnresolvedEventsModule } from './unresolved-events.module.js';

/** Works the inbox off: each event to its owner, in the order of its conversation. */
@Module({
  imports: [ConnectionsModule, ConversationsModule, LeadsModule, MetaModule, SendingModule, UnresolvedEventsModule],
  providers: [
    ConversationEvents,
    EventBatches,
    EventHandling,
    InboxConversations,
    InboxJobs,
    InboxMessages,
    InboxQueue,
    InboxSweep,
    InboxWake,
    InboxWorker,
    MessageChanges,
    ParticipantNames,
    UnresolvedJobs,
  ],
  exports: [InboxWake],
})
export class InboxModule {}
