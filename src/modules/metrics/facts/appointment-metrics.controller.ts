import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { AnswerWithStatus } from '../../../kernel/http/answer.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import {
  AppointmentMetric,
  AppointmentMetricBatch,
  AppointmentMetricChanges,
  AppointmentMetricOutcomes,
  AppointmentMetrics,
  AppointmentMetricsQuery,
  NewAppointmentMetric,
  WrittenAppointmentMetric,
  WrittenAppointmentMetrics,
} from './appointment-metrics.schemas.js';
import { BatchQuery } from './fact-fields.js';
import { appointments } from './fact-kinds.js';
import { factOperations } from './fact-operations.js';
import { FactsService } from './facts.service.js';
import { NewFactsService } from './new-facts.service.js';

const operations = factOperations({
  name: 'AppointmentMetric',
  words: 'appointment metric',
  path: 'appointments',
  rights: 'A provider changes own entries only.',
  schemas: {
    one: AppointmentMetric,
    page: AppointmentMetrics,
    written: WrittenAppointmentMetric,
    writtenAll: WrittenAppointmentMetrics,
    outcomes: AppointmentMetricOutcomes,
  },
});

@ApiTags('metrics')
@Controller('clinics/:clinicId/metrics/appointments')
export class AppointmentMetricsController {
  constructor(
    private readonly facts: FactsService,
    private readonly newFacts: NewFactsService,
  ) {}

  @Get()
  @operations.list
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: AppointmentMetricsQuery }) query: AppointmentMetricsQuery,
  ): Promise<z.input<typeof AppointmentMetrics>> {
    return this.facts.list<AppointmentMetric>(appointments, clinicId, query);
  }

  @Post()
  @operations.create
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewAppointmentMetric }) body: NewAppointmentMetric,
  ): Promise<z.input<typeof WrittenAppointmentMetric>> {
    return this.newFacts.create<AppointmentMetric>(appointments, clinicId, body);
  }

  @Post('batch')
  @operations.createAll
  createAll(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: BatchQuery }) query: BatchQuery,
    @Body({ schema: AppointmentMetricBatch }) { items }: AppointmentMetricBatch,
  ): Promise<z.input<typeof WrittenAppointmentMetrics> | AnswerWithStatus> {
    return this.newFacts.createAll<AppointmentMetric>(appointments, clinicId, items, query);
  }

  @Get(':factId')
  @operations.get
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
  ): Promise<AppointmentMetric> {
    return this.facts.get<AppointmentMetric>(appointments, clinicId, factId);
  }

  @Patch(':factId')
  @operations.change
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
    @Body({ schema: AppointmentMetricChanges }) body: AppointmentMetricChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<z.input<typeof WrittenAppointmentMetric>> {
    return this.facts.change<AppointmentMetric>(appointments, clinicId, factId, body, ifMatch);
  }

  @Delete(':factId')
  @operations.remove
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
  ): Promise<void> {
    return this.facts.remove(appointments, clinicId, factId);
  }
}
