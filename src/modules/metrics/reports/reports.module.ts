import { Module } from '@nestjs/common';
import { MailModule } from '../../../integrations/mail/mail.module.js';
import { AggregationsModule } from '../aggregations/aggregations.module.js';
import { GoalsModule } from '../goals/goals.module.js';
import { ReportMails } from './report-mails.jobs.js';
import { ReportSchedule } from './report-schedule.jobs.js';
import { ReportsController } from './reports.controller.js';
import { ReportsService } from './reports.service.js';
import { SubscriptionsController } from './subscriptions.controller.js';
import { SubscriptionsService } from './subscriptions.service.js';

@Module({
  imports: [AggregationsModule, GoalsModule, MailModule],
  controllers: [ReportsController, SubscriptionsController],
  providers: [ReportMails, ReportSchedule, ReportsService, SubscriptionsService],
})
export class ReportsModule {}
