import { Module } from '@nestjs/common';
import { MetaModule } from '../../../integrations/meta/meta.module.js';
import { AccountsModule } from '../accounts/accounts.module.js';
import { AnalyticsController } from './analytics.controller.js';
import { AnalyticsJobs } from './analytics.jobs.js';
import { AnalyticsStore } from './analytics-store.js';
import { AnalyticsSync } from './analytics-sync.js';
import { PerformanceService } from './performance.service.js';
import { PostAnalyticsService } from './post-analytics.service.js';

/** What Meta counts of published posts, read on a schedule. */
@Module({
  imports: [AccountsModule, MetaModule],
  controllers: [AnalyticsController],
  providers: [AnalyticsJobs, AnalyticsStore, AnalyticsSync, PerformanceService, PostAnalyticsService],
})
export class AnalyticsModule {}
