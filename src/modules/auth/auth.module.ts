import { Module } from '@nestjs/common';
import { MailModule } from '../../integrations/mail/mail.module.js';
import { MetaModule } from '../../integrations/meta/meta.module.js';
import { CONFIG, type Config } from '../../kernel/config/config.js';
import { AuthorizationStates } from '../../kernel/secrets/authorization-states.js';
import { deriveKey } from '../../kernel/secrets/key-ring.js';
import { ClinicsModule } from '../clinics/clinics.module.js';
import { AccountsController } from './accounts.controller.js';
import { AuthMails } from './auth-mails.js';
import { FacebookStrategy } from './facebook/facebook.strategy.js';
import { FacebookLinksController } from './facebook/facebook-links.controller.js';
import { FacebookLinksService } from './facebook/facebook-links.service.js';
import { FacebookLoginController } from './facebook/facebook-login.controller.js';
import { FacebookLoginService } from './facebook/facebook-login.service.js';
import { FacebookSignInService } from './facebook/facebook-sign-in.service.js';
import { FacebookTokens } from './facebook/facebook-tokens.js';
import { MetaCallbackJobs } from './facebook/meta-callback.jobs.js';
import { MetaCallbacksController } from './facebook/meta-callbacks.controller.js';
import { MetaCallbacksService } from './facebook/meta-callbacks.service.js';
import { JwksController } from './jwks.controller.js';
import { MeController } from './me.controller.js';
import { MeService } from './me.service.js';
import { PasswordsService } from './passwords.service.js';
import { RefreshTokens } from './refresh-tokens.js';
import { RegistrationService } from './registration.service.js';
import { SessionSweep } from './session-sweep.js';
import { SessionsController } from './sessions.controller.js';
import { SessionsService } from './sessions.service.js';
import { UsersController } from './users.controller.js';
import { UsersService } from './users.service.js';

/** Users, how they prove who they are, and their sessions. */
@Module({
  imports: [ClinicsModule, MailModule, MetaModule],
  controllers: [
    AccountsController,
    FacebookLinksController,
    FacebookLoginController,
    JwksController,
    MeController,
    MetaCallbacksController,
    SessionsController,
    UsersController,
  ],
  providers: [
    AuthMails,
    FacebookLinksService,
    FacebookLoginService,
    FacebookSignInService,
    FacebookStrategy,
    FacebookTokens,
    MeService,
    MetaCallbackJobs,
    MetaCallbacksService,
    PasswordsService,
    RefreshTokens,
    RegistrationService,
    SessionSweep,
    SessionsService,
    UsersService,
    {
      provide: AuthorizationStates,
      inject: [CONFIG],
      useFactory: ({ secrets }: Config) => new AuthorizationStates(deriveKey(secrets.appKey, 'facebook log-in')),
    },
  ],
})
export class AuthModule {}
