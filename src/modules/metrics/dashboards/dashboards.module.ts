import { Module } from '@nestjs/common';
import { AggregationsModule } from '../aggregations/aggregations.module.js';
import { DashboardDataService } from './dashboard-data.service.js';
import { DashboardsController } from './dashboards.controller.js';
import { DashboardsService } from './dashboards.service.js';
import { WidgetsController } from './widgets.controller.js';
import { WidgetsService } from './widgets.service.js';

@Module({
  imports: [AggregationsModule],
  controllers: [DashboardsController, WidgetsController],
  providers: [DashboardDataService, DashboardsService, WidgetsService],
})
export class DashboardsModule {}
