import { Module } from '@nestjs/common';

/** What Meta delivers: checked, kept, answered; lists and replays for admins. */
@Module({})
export class WebhooksModule {}
