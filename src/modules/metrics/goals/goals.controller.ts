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
import { GoalCreation } from './goal-creation.service.js';
import { GoalClosed, GoalTransition, TargetUnknown } from './goals.errors.js';
import {
  CreatedGoals,
  Goal,
  GoalChanges,
  GoalProgress,
  GoalProgressQuery,
  Goals,
  GoalsFromTemplate,
  GoalsQuery,
  NewGoal,
} from './goals.schemas.js';
import { GoalsService } from './goals.service.js';

const providersOwn = 'A provider acts on own goals only: those of the provider record that names the caller.';

@ApiTags('metrics')
@Controller('clinics/:clinicId/goals')
export class GoalsController {
  constructor(
    private readonly goals: GoalsService,
    private readonly creation: GoalCreation,
  ) {}

  @Get()
  @Operation({
    id: 'listGoals',
    summary: 'List the goals of a clinic and its providers, latest start first',
    access: clinicRole('viewer'),
    answers: Goals,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: GoalsQuery }) query: GoalsQuery,
  ): Promise<Goals> {
    return this.goals.list(clinicId, query);
  }

  @Post()
  @Operation({
    id: 'createGoal',
    summary: 'Set a goal for the clinic or a provider',
    description: providersOwn,
    access: clinicRole('provider'),
    status: 201,
    answers: Goal,
    location: '/clinics/{clinicId}/goals/{id}',
    idempotent: true,
    etag: true,
    refusals: [AlreadyExists, Forbidden, RuleViolated, UnknownReference],
  })
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewGoal }) body: NewGoal,
  ): Promise<Goal> {
    return this.creation.create(clinicId, body);
  }

  @Post('from-template')
  @Operation({
    id: 'createGoalsFromTemplate',
    summary: 'Set the goal of a template for the clinic, for some of its providers or for all of them',
    description: `All or nothing: who has an active goal of that metric and period is named. ${providersOwn}`,
    access: clinicRole('provider'),
    status: 201,
    answers: CreatedGoals,
    idempotent: true,
    refusals: [AlreadyExists, Forbidden, InvalidFormula, RuleViolated, TargetUnknown, UnknownReference],
  })
  createFromTemplate(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: GoalsFromTemplate }) body: GoalsFromTemplate,
  ): Promise<CreatedGoals> {
    return this.creation.createFromTemplate(clinicId, body);
  }

  @Get(':goalId')
  @Operation({
    id: 'getGoal',
    summary: 'Read a goal: progress, pace, forecast, and whether it is on track',
    access: clinicRole('viewer'),
    answers: Goal,
    etag: true,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('goalId', { schema: Uuid }) goalId: string,
  ): Promise<Goal> {
    return this.goals.get(clinicId, goalId);
  }

  @Patch(':goalId')
  @Operation({
    id: 'updateGoal',
    summary: 'Change, activate or cancel a goal',
    description: `${providersOwn} What is to be reached and by when is changed by a \`clinic_admin\` alone.`,
    access: clinicRole('provider'),
    answers: Goal,
    etag: true,
    refusals: [AlreadyExists, Forbidden, GoalClosed, GoalTransition, PreconditionFailed, RuleViolated],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('goalId', { schema: Uuid }) goalId: string,
    @Body({ schema: GoalChanges }) body: GoalChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<Goal> {
    return this.goals.change(clinicId, goalId, body, ifMatch);
  }

  @Delete(':goalId')
  @Operation({
    id: 'deleteGoal',
    summary: 'Delete a goal with its history',
    access: clinicRole('clinic_admin'),
  })
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('goalId', { schema: Uuid }) goalId: string,
  ): Promise<void> {
    return this.goals.remove(clinicId, goalId);
  }

  @Get(':goalId/progress')
  @Operation({
    id: 'listGoalProgress',
    summary: 'List how far a goal was on each of its days, latest first',
    access: clinicRole('viewer'),
    answers: GoalProgress,
    refusals: [InvalidCursor],
  })
  progress(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('goalId', { schema: Uuid }) goalId: string,
    @Query({ schema: GoalProgressQuery }) query: GoalProgressQuery,
  ): Promise<GoalProgress> {
    return this.goals.progress(clinicId, goalId, query);
  }
}
