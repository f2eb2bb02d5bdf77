import { Module } from '@nestjs/common';

/** Comments that show an intent to book. */
@Module({})
export class LeadsModule {}
