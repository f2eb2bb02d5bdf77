import { Module } from '@nestjs/common';
import { MetaModule } from '../../../integrations/meta/meta.module.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { AuthorizationStates } from '../../../kernel/secrets/authorization-states.js';
import { deriveKey } from '../../../kernel/secrets/key-ring.js';
import { UnresolvedEventsModule } from '../inbox/unresolved-events.module.js';
import { Authorizations } from './authorizations.js';
import { ConnectedPages } from './connected-pages.js';
import { ConnectionMaker } from './connection-maker.js';
import { ConnectionRecords } from './connection-records.js';
import { ConsentExchange } from './consent-exchange.js';
import { ConsentReturn } from './consent-return.js';
import { ConsentStart } from './consent-start.js';
import { ConsentWithdrawal } from './consent-withdrawal.js';
import { HealthModule } from './health/health.module.js';
import { InstagramAccounts } from './instagram-accounts.js';
import { InstagramConnectController } from './instagram-connect.controller.js';
import { LeavingJobs } from './leaving.jobs.js';
import { Leaving } from './leaving.js';
import { MessengerConsentGivers } from './messenger-consent-givers.js';
import { MessengerPagesController } from './messenger-pages.controller.js';
import { MessengerPagesService } from './messenger-pages.service.js';
import { MessengerTokensModule } from './messenger-tokens.module.js';
import { PageConnectController } from './page-connect.controller.js';
import { PageSubscriptions } from './page-subscriptions.js';
import { PendingChoices } from './pending-choices.js';

/** Pages and Instagram accounts that are connected for messages: consent, choice, tokens. */
@Module({
  imports: [HealthModule, MessengerTokensModule, MetaModule, UnresolvedEventsModule],
  controllers: [PageConnectController, InstagramConnectController, MessengerPagesController],
  providers: [
    Authorizations,
    ConnectedPages,
    ConnectionMaker,
    ConnectionRecords,
    ConsentExchange,
    ConsentReturn,
    ConsentStart,
    ConsentWithdrawal,
    InstagramAccounts,
    Leaving,
    LeavingJobs,
    MessengerConsentGivers,
    MessengerPagesService,
    PageSubscriptions,
    PendingChoices,
    {
      provide: AuthorizationStates,
      inject: [CONFIG],
      useFactory: ({ secrets }: Config) => new AuthorizationStates(deriveKey(secrets.appKey, 'messenger consent')),
    },
  ],
  exports: [ConnectedPages],
})
export class ConnectionsModule {}
