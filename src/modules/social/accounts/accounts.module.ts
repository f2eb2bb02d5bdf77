import { Module } from '@nestjs/common';
import { AccountLapses } from './account-lapses.js';
import { AccountMails } from './account-mails.js';
import { SocialTokens } from './social-tokens.js';

/** Connected accounts and pages: consent, tokens, health. */
@Module({
  providers: [AccountLapses, AccountMails, SocialTokens],
  exports: [SocialTokens],
})
export class AccountsModule {}
