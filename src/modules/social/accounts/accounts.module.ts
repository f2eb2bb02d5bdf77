import { Module } from '@nestjs/common';

/** Connected accounts and pages: consent, tokens, health. */
@Module({})
export class AccountsModule {}
