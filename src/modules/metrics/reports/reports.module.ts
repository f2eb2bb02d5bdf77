import { Module } from '@nestjs/common';

/** The weekly and the monthly report of a clinic. */
@Module({})
export class ReportsModule {}
