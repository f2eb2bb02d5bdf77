import { Module } from '@nestjs/common';

/** What Meta counts of published posts, read on a schedule. */
@Module({})
export class AnalyticsModule {}
