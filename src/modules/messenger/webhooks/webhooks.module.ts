import { Module } from '@nestjs/common';
import { MetaModule } from '../../../integrations/meta/meta.module.js';
import { InboxModule } from '../inbox/inbox.module.js';
import { InboxWriter } from './inbox-writer.js';
import { ReceivedEvents } from './received-events.js';
import { WebhookEventsController } from './webhook-events.controller.js';
import { WebhookEventsService } from './webhook-events.service.js';
import { WebhookIntake } from './webhook-intake.js';
import { WebhookVerification } from './webhook-verification.js';
import { WebhooksController } from './webhooks.controller.js';

/** What Meta delivers: checked, kept, answered; lists and replays for admins. */
@Module({
  imports: [InboxModule, MetaModule],
  controllers: [WebhooksController, WebhookEventsController],
  providers: [InboxWriter, ReceivedEvents, WebhookEventsService, WebhookIntake, WebhookVerification],
})
export class WebhooksModule {}
