import { Module } from '@nestjs/common';
import { DashboardsController } from './dashboards.controller.js';
import { DashboardsService } from './dashboards.service.js';
import { WidgetsController } from './widgets.controller.js';
import { WidgetsService } from './widgets.service.js';

@Module({
  controllers: [DashboardsController, WidgetsController],
  providers: [DashboardsService, WidgetsService],
})
export class DashboardsModule {}
