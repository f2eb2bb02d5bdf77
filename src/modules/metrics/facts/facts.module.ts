import { Module } from '@nestjs/common';

/** What happened at a clinic on a day: production, appointments, calls, patients. */
@Module({})
export class FactsModule {}
