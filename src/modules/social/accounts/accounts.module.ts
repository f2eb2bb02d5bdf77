import { Module } from '@nestjs/common';
import { MetaModule } from '../../../integrations/meta/meta.module.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { AuthorizationStates } from '../../../kernel/secrets/authorization-states.js';
import { deriveKey } from '../../../kernel/secrets/key-ring.js';
import { PostQueueModule } from '../posts/post-queue.module.js';
import { AccountHealth } from './account-health.js';
import { AccountLapses } from './account-lapses.js';
import { AccountMails } from './account-mails.js';
import { AccountMaker } from './account-maker.js';
import { AccountRecords } from './account-records.js';
import { AccountsController } from './accounts.controller.js';
import { AccountsJobs } from './accounts.jobs.js';
import { AccountsService } from './accounts.service.js';
import { ConnectController } from './connect.controller.js';
import { ConnectionService } from './connection.service.js';
import { ConsentGivers } from './consent-givers.js';
import { PendingConnections } from './pending-connections.js';
import { SocialTokens } from './social-tokens.js';
import { TokenRenewal } from './token-renewal.js';

/** Connected accounts and pages: consent, tokens, health. */
@Module({
  imports: [MetaModule, PostQueueModule],
  controllers: [AccountsController, ConnectController],
  providers: [
    AccountHealth,
    AccountLapses,
    AccountMails,
    AccountMaker,
    AccountRecords,
    AccountsJobs,
    AccountsService,
    ConnectionService,
    ConsentGivers,
    PendingConnections,
    SocialTokens,
    TokenRenewal,
    {
      provide: AuthorizationStates,
      inject: [CONFIG],
      useFactory: ({ secrets }: Config) => new AuthorizationStates(deriveKey(secrets.appKey, 'social consent')),
    },
  ],
  exports: [SocialTokens],
})
export class AccountsModule {}
