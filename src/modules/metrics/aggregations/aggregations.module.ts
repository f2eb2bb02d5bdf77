import { Module } from '@nestjs/common';
import { ClinicsModule } from '../../clinics/clinics.module.js';
import { AggregationsController } from './aggregations.controller.js';
import { AggregationsService } from './aggregations.service.js';
import { MetricReader } from './metric-reader.js';
import { RollUpJobs } from './roll-ups.jobs.js';

/** Roll-ups of the facts by day, week, month, quarter and year. */
@Module({
  imports: [ClinicsModule],
  controllers: [AggregationsController],
  providers: [AggregationsService, MetricReader, RollUpJobs],
  exports: [MetricReader],
})
export class AggregationsModule {}
