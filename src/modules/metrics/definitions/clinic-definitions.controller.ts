import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AlreadyExists, InvalidCursor, PreconditionFailed, StillReferenced } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { InvalidFormula } from './definitions.errors.js';
import {
  MetricDefinition,
  MetricDefinitionChanges,
  MetricDefinitions,
  MetricDefinitionsQuery,
  NewMetricDefinition,
} from './definitions.schemas.js';
import { DefinitionsService } from './definitions.service.js';

@ApiTags('metrics')
@Controller('clinics/:clinicId/metrics/definitions')
export class ClinicDefinitionsController {
  constructor(private readonly definitions: DefinitionsService) {}

  @Get()
  @Operation({
    id: 'listClinicMetricDefinitions',
    summary: "List the metrics that a clinic knows, by code: the system's and its own",
    access: clinicRole('viewer'),
    answers: MetricDefinitions,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: MetricDefinitionsQuery }) query: MetricDefinitionsQuery,
  ): Promise<MetricDefinitions> {
    return this.definitions.list(clinicId, query);
  }

  @Post()
  @Operation({
    id: 'createClinicMetricDefinition',
    summary: 'Define a metric of a clinic by a formula',
    access: clinicRole('clinic_admin'),
    status: 201,
    answers: MetricDefinition,
    location: '/clinics/{clinicId}/metrics/definitions/{id}',
    idempotent: true,
    etag: true,
    refusals: [AlreadyExists, InvalidFormula],
  })
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewMetricDefinition }) body: NewMetricDefinition,
  ): Promise<MetricDefinition> {
    return this.definitions.create(clinicId, body);
  }

  @Get(':definitionId')
  @Operation({
    id: 'getClinicMetricDefinition',
    summary: 'Read the definition of a metric of a clinic',
    access: clinicRole('viewer'),
    answers: MetricDefinition,
    etag: true,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('definitionId', { schema: Uuid }) definitionId: string,
  ): Promise<MetricDefinition> {
    return this.definitions.get(clinicId, definitionId);
  }

  @Patch(':definitionId')
  @Operation({
    id: 'updateClinicMetricDefinition',
    summary: 'Change a metric of a clinic that is a formula',
    description:
      'What rests on it follows: formulas are compiled anew, their values are those of the new formula at once.',
    access: clinicRole('clinic_admin'),
    answers: MetricDefinition,
    etag: true,
    refusals: [InvalidFormula, PreconditionFailed],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('definitionId', { schema: Uuid }) definitionId: string,
    @Body({ schema: MetricDefinitionChanges }) body: MetricDefinitionChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<MetricDefinition> {
    return this.definitions.change(clinicId, definitionId, body, ifMatch);
  }

  @Delete(':definitionId')
  @Operation({
    id: 'deleteClinicMetricDefinition',
    summary: 'Delete a metric of a clinic on which nothing rests',
    access: clinicRole('clinic_admin'),
    refusals: [StillReferenced],
  })
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('definitionId', { schema: Uuid }) definitionId: string,
  ): Promise<void> {
    return this.definitions.remove(clinicId, definitionId);
  }
}
