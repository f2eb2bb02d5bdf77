import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AlreadyExists, InvalidCursor, PreconditionFailed, StillReferenced } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { adminOnly, signedIn } from '../../../kernel/tenancy/access.js';
import { BaseMetric, InvalidFormula } from './definitions.errors.js';
import {
  MetricDefinition,
  MetricDefinitionChanges,
  MetricDefinitions,
  MetricDefinitionsQuery,
  NewMetricDefinition,
} from './definitions.schemas.js';
import { DefinitionsService } from './definitions.service.js';

@ApiTags('metrics')
@Controller('metrics/definitions')
export class SystemDefinitionsController {
  constructor(private readonly definitions: DefinitionsService) {}

  @Get()
  @Operation({
    id: 'listSystemMetricDefinitions',
    summary: 'List the metrics of the system, by code',
    access: signedIn,
    answers: MetricDefinitions,
    refusals: [InvalidCursor],
  })
  list(@Query({ schema: MetricDefinitionsQuery }) query: MetricDefinitionsQuery): Promise<MetricDefinitions> {
    return this.definitions.list(null, query);
  }

  @Post()
  @Operation({
    id: 'createSystemMetricDefinition',
    summary: 'Define a metric of the system by a formula',
    access: adminOnly,
    status: 201,
    answers: MetricDefinition,
    location: '/metrics/definitions/{id}',
    idempotent: true,
    etag: true,
    refusals: [AlreadyExists, InvalidFormula],
  })
  create(@Body({ schema: NewMetricDefinition }) body: NewMetricDefinition): Promise<MetricDefinition> {
    return this.definitions.create(null, body);
  }

  @Get(':definitionId')
  @Operation({
    id: 'getSystemMetricDefinition',
    summary: 'Read the definition of a metric of the system',
    access: signedIn,
    answers: MetricDefinition,
    etag: true,
  })
  get(@Param('definitionId', { schema: Uuid }) definitionId: string): Promise<MetricDefinition> {
    return this.definitions.get(null, definitionId);
  }

  @Patch(':definitionId')
  @Operation({
    id: 'updateSystemMetricDefinition',
    summary: 'Change a metric of the system that is a formula',
    description:
      'What rests on it follows: formulas are compiled anew, their values are those of the new formula at once.',
    access: adminOnly,
    answers: MetricDefinition,
    etag: true,
    refusals: [BaseMetric, InvalidFormula, PreconditionFailed],
  })
  change(
    @Param('definitionId', { schema: Uuid }) definitionId: string,
    @Body({ schema: MetricDefinitionChanges }) body: MetricDefinitionChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<MetricDefinition> {
    return this.definitions.change(null, definitionId, body, ifMatch);
  }

  @Delete(':definitionId')
  @Operation({
    id: 'deleteSystemMetricDefinition',
    summary: 'Delete a metric of the system on which nothing rests',
    access: adminOnly,
    refusals: [BaseMetric, StillReferenced],
  })
  remove(@Param('definitionId', { schema: Uuid }) definitionId: string): Promise<void> {
    return this.definitions.remove(null, definitionId);
  }
}
