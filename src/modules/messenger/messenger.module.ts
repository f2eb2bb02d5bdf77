import { Module } from '@nestjs/common';
import { ConnectionsModule } from './connections/connections.module.js';
import { ConversationsModule } from './conversations/conversations.module.js';
import { DoctorsModule } from './doctors/doctors.module.js';
import { InboxModule } from './inbox/inbox.module.js';
import { LeadsModule } from './leads/leads.module.js';
import { SendingModule } from './sending/sending.module.js';
import { StreamModule } from './stream/stream.module.js';
import { WebhooksModule } from './webhooks/webhooks.module.js';

/** Messages with the people who write to a page or an Instagram account. */
@Module({
  imports: [
    ConnectionsModule,
    ConversationsModule,
    DoctorsModule,
    InboxModule,
    LeadsModule,
    SendingModule,
    StreamModule,
    WebhooksModule,
  ],
})
export class MessengerModule {}
