import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  AlreadyExists,
  InvalidCursor,
  PreconditionFailed,
  RuleViolated,
  UnknownReference,
} from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { adminOnly, signedIn } from '../../../kernel/tenancy/access.js';
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
@Controller('metrics/goal-templates')
export class SystemGoalTemplatesController {
  constructor(private readonly templates: GoalTemplatesService) {}

  @Get()
  @Operation({
    id: 'listSystemGoalTemplates',
    summary: 'List the goal templates of the system, by name',
    access: signedIn,
    answers: GoalTemplates,
    refusals: [InvalidCursor],
  })
  list(@Query({ schema: GoalTemplatesQuery }) query: GoalTemplatesQuery): Promise<GoalTemplates> {
    return this.templates.list(null, query);
  }

  @Post()
  @Operation({
    id: 'createSystemGoalTemplate',
    summary: 'Add a goal template of the system',
    access: adminOnly,
    status: 201,
    answers: GoalTemplate,
    location: '/metrics/goal-templates/{id}',
    idempotent: true,
    etag: true,
    refusals: [AlreadyExists, InvalidFormula, RuleViolated, UnknownReference],
  })
  create(@Body({ schema: NewGoalTemplate }) body: NewGoalTemplate): Promise<GoalTemplate> {
    return this.templates.create(null, body);
  }

  @Get(':templateId')
  @Operation({
    id: 'getSystemGoalTemplate',
    summary: 'Read a goal template of the system',
    access: signedIn,
    answers: GoalTemplate,
    etag: true,
  })
  get(@Param('templateId', { schema: Uuid }) templateId: string): Promise<GoalTemplate> {
    return this.templates.get(null, templateId);
  }

  @Patch(':templateId')
  @Operation({
    id: 'updateSystemGoalTemplate',
    summary: 'Change a goal template of the system; goals that were made from it stay',
    access: adminOnly,
    answers: GoalTemplate,
    etag: true,
    refusals: [AlreadyExists, InvalidFormula, PreconditionFailed, RuleViolated, UnknownReference],
  })
  change(
    @Param('templateId', { schema: Uuid }) templateId: string,
    @Body({ schema: GoalTemplateChanges }) body: GoalTemplateChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<GoalTemplate> {
    return this.templates.change(null, templateId, body, ifMatch);
  }

  @Delete(':templateId')
  @Operation({
    id: 'deleteSystemGoalTemplate',
    summary: 'Delete a goal template of the system; goals that were made from it stay',
    access: adminOnly,
  })
  remove(@Param('templateId', { schema: Uuid }) templateId: string): Promise<void> {
    return this.templates.remove(null, templateId);
  }
}
