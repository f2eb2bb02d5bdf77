import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  AlreadyExists,
  Forbidden,
  InvalidCursor,
  PreconditionFailed,
  RuleViolated,
  UnknownReference,
} from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { InvalidFormula } from '../definitions/definitions.errors.js';
import {
  GoalTemplate,
  GoalTemplateChanges,
  GoalTemplates,
  GoalTemplatesQuery,
  NewGoalTemplate,
} from './goal-templates.schemas.js';
import { GoalTemplatesService } from './goal-templates.service.js';

@ApiTags('metrics')
@Controller('clinics/:clinicId/goal-templates')
export class GoalTemplatesController {
  constructor(private readonly templates: GoalTemplatesService) {}

  @Get()
  @Operation({
    id: 'listGoalTemplates',
    summary: 'List the goal templates of a clinic and of the system, by name',
    access: clinicRole('viewer'),
    answers: GoalTemplates,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: GoalTemplatesQuery }) query: GoalTemplatesQuery,
  ): Promise<GoalTemplates> {
    return this.templates.list(clinicId, query);
  }

  @Post()
  @Operation({
    id: 'createGoalTemplate',
    summary: 'Add a goal template of the clinic',
    access: clinicRole('clinic_admin'),
    status: 201,
    answers: GoalTemplate,
    location: '/clinics/{clinicId}/goal-templates/{id}',
    idempotent: true,
    etag: true,
    refusals: [AlreadyExists, InvalidFormula, RuleViolated, UnknownReference],
  })
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewGoalTemplate }) body: NewGoalTemplate,
  ): Promise<GoalTemplate> {
    return this.templates.create(clinicId, body);
  }

  @Get(':templateId')
  @Operation({
    id: 'getGoalTemplate',
    summary: 'Read a goal template of the clinic',
    access: clinicRole('viewer'),
    answers: GoalTemplate,
    etag: true,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('templateId', { schema: Uuid }) templateId: string,
  ): Promise<GoalTemplate> {
    return this.templates.get(clinicId, templateId);
  }

  @Patch(':templateId')
  @Operation({
    id: 'updateGoalTemplate',
    summary: 'Change a goal template of the clinic; goals that were made from it stay',
    access: clinicRole('clinic_admin'),
    answers: GoalTemplate,
    etag: true,
    refusals: [AlreadyExists, Forbidden, InvalidFormula, PreconditionFailed, RuleViolated, UnknownReference],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('templateId', { schema: Uuid }) templateId: string,
    @Body({ schema: GoalTemplateChanges }) body: GoalTemplateChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<GoalTemplate> {
    return this.templates.change(clinicId, templateId, body, ifMatch);
  }

  @Delete(':templateId')
  @Operation({
    id: 'deleteGoalTemplate',
    summary: 'Delete a goal template of the clinic; goals that were made from it stay',
    access: clinicRole('clinic_admin'),
    refusals: [Forbidden],
  })
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('templateId', { schema: Uuid }) templateId: string,
  ): Promise<void> {
    return this.templates.remove(clinicId, templateId);
  }
}
