import { Module } from '@nestjs/common';

/** Pages and Instagram accounts that are connected for messages: consent, choice, tokens. */
@Module({})
export class ConnectionsModule {}
