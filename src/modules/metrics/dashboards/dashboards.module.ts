import { Module } from '@nestjs/common';

/** Layouts of widgets, a person's own or shared in the clinic. */
@Module({})
export class DashboardsModule {}
