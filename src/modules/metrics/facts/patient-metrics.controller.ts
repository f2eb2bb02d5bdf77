import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { AnswerWithStatus } from '../../../kernel/http/answer.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { BatchQuery } from './fact-fields.js';
import { patients } from './fact-kinds.js';
import { factOperations } from './fact-operations.js';
import { FactsService } from './facts.service.js';
import { NewFactsService } from './new-facts.service.js';
import {
  NewPatientMetric,
  PatientMetric,
  PatientMetricBatch,
  PatientMetricChanges,
  PatientMetricOutcomes,
  PatientMetrics,
  PatientMetricsQuery,
  WrittenPatientMetric,
  WrittenPatientMetrics,
} from './patient-metrics.schemas.js';

const operations = factOperations({
  name: 'PatientMetric',
  words: 'patient metric',
  path: 'patients',
  rights: 'A provider changes own entries only.',
  schemas: {
    one: PatientMetric,
    page: PatientMetrics,
    written: WrittenPatientMetric,
    writtenAll: WrittenPatientMetrics,
    outcomes: PatientMetricOutcomes,
  },
});

@ApiTags('metrics')
@Controller('clinics/:clinicId/metrics/patients')
export class PatientMetricsController {
  constructor(
    private readonly facts: FactsService,
    private readonly newFacts: NewFactsService,
  ) {}

  @Get()
  @operations.list
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: PatientMetricsQuery }) query: PatientMetricsQuery,
  ): Promise<z.input<typeof PatientMetrics>> {
    return this.facts.list<PatientMetric>(patients, clinicId, query);
  }

  @Post()
  @operations.create
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewPatientMetric }) body: NewPatientMetric,
  ): Promise<z.input<typeof WrittenPatientMetric>> {
    return this.newFacts.create<PatientMetric>(patients, clinicId, body);
  }

  @Post('batch')
  @operations.createAll
  createAll(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: BatchQuery }) query: BatchQuery,
    @Body({ schema: PatientMetricBatch }) { items }: PatientMetricBatch,
  ): Promise<z.input<typeof WrittenPatientMetrics> | AnswerWithStatus> {
    return this.newFacts.createAll<PatientMetric>(patients, clinicId, items, query);
  }

  @Get(':factId')
  @operations.get
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
  ): Promise<PatientMetric> {
    return this.facts.get<PatientMetric>(patients, clinicId, factId);
  }

  @Patch(':factId')
  @operations.change
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
    @Body({ schema: PatientMetricChanges }) body: PatientMetricChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<z.input<typeof WrittenPatientMetric>> {
    return this.facts.change<PatientMetric>(patients, clinicId, factId, body, ifMatch);
  }

  @Delete(':factId')
  @operations.remove
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
  ): Promise<void> {
    return this.facts.remove(patients, clinicId, factId);
  }
}
