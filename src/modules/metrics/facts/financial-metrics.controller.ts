import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { AnswerWithStatus } from '../../../kernel/http/answer.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { BatchQuery } from './fact-fields.js';
import { financial } from './fact-kinds.js';
import { factOperations } from './fact-operations.js';
import { FactsService } from './facts.service.js';
import {
  FinancialMetric,
  FinancialMetricBatch,
  FinancialMetricChanges,
  FinancialMetricOutcomes,
  FinancialMetrics,
  FinancialMetricsQuery,
  NewFinancialMetric,
  WrittenFinancialMetric,
  WrittenFinancialMetrics,
} from './financial-metrics.schemas.js';
import { NewFactsService } from './new-facts.service.js';

const operations = factOperations({
  name: 'FinancialMetric',
  words: 'financial metric',
  path: 'financial',
  rights: 'A provider changes own entries only.',
  schemas: {
    one: FinancialMetric,
    page: FinancialMetrics,
    written: WrittenFinancialMetric,
    writtenAll: WrittenFinancialMetrics,
    outcomes: FinancialMetricOutcomes,
  },
});

@ApiTags('metrics')
@Controller('clinics/:clinicId/metrics/financial')
export class FinancialMetricsController {
  constructor(
    private readonly facts: FactsService,
    private readonly newFacts: NewFactsService,
  ) {}

  @Get()
  @operations.list
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: FinancialMetricsQuery }) query: FinancialMetricsQuery,
  ): Promise<z.input<typeof FinancialMetrics>> {
    return this.facts.list<FinancialMetric>(financial, clinicId, query);
  }

  @Post()
  @operations.create
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewFinancialMetric }) body: NewFinancialMetric,
  ): Promise<z.input<typeof WrittenFinancialMetric>> {
    return this.newFacts.create<FinancialMetric>(financial, clinicId, body);
  }

  @Post('batch')
  @operations.createAll
  createAll(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: BatchQuery }) query: BatchQuery,
    @Body({ schema: FinancialMetricBatch }) { items }: FinancialMetricBatch,
  ): Promise<z.input<typeof WrittenFinancialMetrics> | AnswerWithStatus> {
    return this.newFacts.createAll<FinancialMetric>(financial, clinicId, items, query);
  }

  @Get(':factId')
  @operations.get
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
  ): Promise<FinancialMetric> {
    return this.facts.get<FinancialMetric>(financial, clinicId, factId);
  }

  @Patch(':factId')
  @operations.change
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
    @Body({ schema: FinancialMetricChanges }) body: FinancialMetricChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<z.input<typeof WrittenFinancialMetric>> {
    return this.facts.change<FinancialMetric>(financial, clinicId, factId, body, ifMatch);
  }

  @Delete(':factId')
  @operations.remove
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
  ): Promise<void> {
    return this.facts.remove(financial, clinicId, factId);
  }
}
