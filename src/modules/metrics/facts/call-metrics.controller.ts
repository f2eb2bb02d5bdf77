import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { AnswerWithStatus } from '../../../kernel/http/answer.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import {
  CallMetric,
  CallMetricBatch,
  CallMetricChanges,
  CallMetricOutcomes,
  CallMetrics,
  CallMetricsQuery,
  NewCallMetric,
  WrittenCallMetric,
  WrittenCallMetrics,
} from './call-metrics.schemas.js';
import { BatchQuery } from './fact-fields.js';
import { calls } from './fact-kinds.js';
import { factOperations } from './fact-operations.js';
import { FactsService } from './facts.service.js';
import { NewFactsService } from './new-facts.service.js';

const operations = factOperations({
  name: 'CallMetric',
  words: 'call metric',
  path: 'calls',
  rights: 'Calls are entered and changed by `staff` and `clinic_admin`, not by a `provider`.',
  schemas: {
    one: CallMetric,
    page: CallMetrics,
    written: WrittenCallMetric,
    writtenAll: WrittenCallMetrics,
    outcomes: CallMetricOutcomes,
  },
});

@ApiTags('metrics')
@Controller('clinics/:clinicId/metrics/calls')
export class CallMetricsController {
  constructor(
    private readonly facts: FactsService,
    private readonly newFacts: NewFactsService,
  ) {}

  @Get()
  @operations.list
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: CallMetricsQuery }) query: CallMetricsQuery,
  ): Promise<z.input<typeof CallMetrics>> {
    return this.facts.list<CallMetric>(calls, clinicId, query);
  }

  @Post()
  @operations.create
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewCallMetric }) body: NewCallMetric,
  ): Promise<z.input<typeof WrittenCallMetric>> {
    return this.newFacts.create<CallMetric>(calls, clinicId, body);
  }

  @Post('batch')
  @operations.createAll
  createAll(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: BatchQuery }) query: BatchQuery,
    @Body({ schema: CallMetricBatch }) { items }: CallMetricBatch,
  ): Promise<z.input<typeof WrittenCallMetrics> | AnswerWithStatus> {
    return this.newFacts.createAll<CallMetric>(calls, clinicId, items, query);
  }

  @Get(':factId')
  @operations.get
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
  ): Promise<CallMetric> {
    return this.facts.get<CallMetric>(calls, clinicId, factId);
  }

  @Patch(':factId')
  @operations.change
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
    @Body({ schema: CallMetricChanges }) body: CallMetricChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<z.input<typeof WrittenCallMetric>> {
    return this.facts.change<CallMetric>(calls, clinicId, factId, body, ifMatch);
  }

  @Delete(':factId')
  @operations.remove
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('factId', { schema: Uuid }) factId: string,
  ): Promise<void> {
    return this.facts.remove(calls, clinicId, factId);
  }
}
