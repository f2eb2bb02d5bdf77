import { Module } from '@nestjs/common';

/** The one door through which messages leave. */
@Module({})
export class SendingModule {}
