import { Module } from '@nestjs/common';
import { ConnectedPages } from './connected-pages.js';
import { HealthModule } from './health/health.module.js';
import { MessengerTokensModule } from './messenger-tokens.module.js';

/** Pages and Instagram accounts that are connected for messages: consent, choice, tokens. */
@Module({
  imports: [HealthModule, MessengerTokensModule],
  providers: [ConnectedPages],
  exports: [ConnectedPages],
})
export class ConnectionsModule {}
