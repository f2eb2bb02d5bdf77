import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { JobRuns } from './job-runs.js';
import { JobWorker } from './job-worker.js';
import { Schedules } from './schedules.js';

/** Runs jobs and ticks schedules in this process. */
@Module({ imports: [ScheduleModule.forRoot()], providers: [JobRuns, JobWorker, Schedules] })
export class JobWorkerModule {}
