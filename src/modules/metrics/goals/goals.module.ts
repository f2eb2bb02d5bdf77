import { Module } from '@nestjs/common';
import { DefinitionsModule } from '../definitions/definitions.module.js';
import { GoalCreation } from './goal-creation.service.js';
import { GoalPeriods } from './goal-periods.js';
import { GoalTargets } from './goal-targets.js';
import { GoalTemplatesController } from './goal-templates.controller.js';
import { GoalTemplatesService } from './goal-templates.service.js';
import { GoalsController } from './goals.controller.js';
import { GoalsJobs } from './goals.jobs.js';
import { GoalsService } from './goals.service.js';
import { GoalsReader } from './goals-reader.js';
import { MetricLookup } from './metric-lookup.js';
import { SystemGoalTemplatesController } from './system-goal-templates.controller.js';

/** What a clinic wants to reach by when, and how far it is. */
@Module({
  imports: [DefinitionsModule],
  controllers: [GoalsController, GoalTemplatesController, SystemGoalTemplatesController],
  providers: [
    GoalCreation,
    GoalPeriods,
    GoalsJobs,
    GoalsReader,
    GoalsService,
    GoalTargets,
    GoalTemplatesService,
    MetricLookup,
  ],
  exports: [GoalsReader],
})
export class GoalsModule {}
