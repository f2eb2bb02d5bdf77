import { Module } from '@nestjs/common';
import { MetaModule } from '../../../integrations/meta/meta.module.js';
import { ConnectionsModule } from '../connections/connections.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { AutomaticAnswers } from './automatic-answers.js';
import { Echoes } from './echoes.js';
import { OutgoingMessages } from './outgoing-messages.js';
import { RetryService } from './retry.service.js';
import { SendQueue } from './send-queue.js';
import { Sender } from './sender.js';
import { SendingController } from './sending.controller.js';
import { SendingJobs } from './sending.jobs.js';
import { SendingService } from './sending.service.js';
import { SendingStore } from './sending-store.js';
import { SentMessages } from './sent-messages.js';

/** The one door through which messages leave. */
@Module({
  imports: [ConnectionsModule, ConversationsModule, MetaModule],
  controllers: [SendingController],
  providers: [
    AutomaticAnswers,
    Echoes,
    OutgoingMessages,
    RetryService,
    Sender,
    SendingJobs,
    SendingService,
    SendingStore,
    SendQueue,
    SentMessages,
  ],
  exports: [AutomaticAnswers, Echoes, OutgoingMessages],
})
export class SendingModule {}
