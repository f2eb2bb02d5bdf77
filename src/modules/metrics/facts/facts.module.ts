import { Module } from '@nestjs/common';
import { AppointmentMetricsController } from './appointment-metrics.controller.js';
import { CallMetricsController } from './call-metrics.controller.js';
import { FactPartitions } from './fact-partitions.js';
import { FactWarnings } from './fact-warnings.js';
import { FactsService } from './facts.service.js';
import { FinancialMetricsController } from './financial-metrics.controller.js';
import { NewFactsService } from './new-facts.service.js';
import { PatientMetricsController } from './patient-metrics.controller.js';

/** What happened at a clinic on a day: production, appointments, calls, patients. */
@Module({
  controllers: [
    AppointmentMetricsController,
    CallMetricsController,
    FinancialMetricsController,
    PatientMetricsController,
  ],
  providers: [FactPartitions, FactWarnings, FactsService, NewFactsService],
})
export class FactsModule {}
