import { Module } from '@nestjs/common';
import { AggregationsModule } from './aggregations/aggregations.module.js';
import { DashboardsModule } from './dashboards/dashboards.module.js';
import { DefinitionsModule } from './definitions/definitions.module.js';
import { ExportsModule } from './exports/exports.module.js';
import { FactsModule } from './facts/facts.module.js';
import { GoalsModule } from './goals/goals.module.js';
import { ImportsModule } from './imports/imports.module.js';
import { ReportsModule } from './reports/reports.module.js';
import { SheetsModule } from './sheets/sheets.module.js';

/** Facts in; roll-ups, goals and reports out. */
@Module({
  imports: [
    AggregationsModule,
    DashboardsModule,
    DefinitionsModule,
    ExportsModule,
    FactsModule,
    GoalsModule,
    ImportsModule,
    ReportsModule,
    SheetsModule,
  ],
})
export class MetricsModule {}
