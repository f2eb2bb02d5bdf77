import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { DeadJobs } from './dead-jobs.js';
import { JobRegistry } from './job-registry.js';
import { Jobs } from './jobs.js';
import { RunHistory } from './run-history.js';
import { Sweep } from './sweep.js';

/** To add jobs, and to see how they went and which were given up. The worker is a module of its own, so that the API can run without it. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [DeadJobs, JobRegistry, Jobs, RunHistory, Sweep],
  exports: [DeadJobs, JobRegistry, Jobs, RunHistory],
})
export class JobsModule {}
