import { Module } from '@nestjs/common';
import { MailModule } from '../../integrations/mail/mail.module.js';
import { ClinicsModule } from '../clinics/clinics.module.js';
import { AccountsController } from './accounts.controller.js';
import { AuthMails } from './auth-mails.js';
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
  imports: [ClinicsModule, MailModule],
  controllers: [AccountsController, JwksController, MeController, SessionsController, UsersController],
  providers: [
    AuthMails,
    MeService,
    PasswordsService,
    RefreshTokens,
    RegistrationService,
    SessionSweep,
    SessionsService,
    UsersService,
  ],
})
export class AuthModule {}
