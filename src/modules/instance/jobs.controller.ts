import { Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor, NotFound } from '../../kernel/http/http.errors.js';
import { Operation } from '../../kernel/http/operation.decorator.js';
import { adminOnly } from '../../kernel/tenancy/access.js';
import { DeadJobs, DeadJobsQuery, JobId, ServiceJobs } from './jobs.schemas.js';
import { JobsService } from './jobs.service.js';

@ApiTags('instance')
@Controller('instance/jobs')
export class JobsController {
  constructor(private readonly jobs: JobsService) {}

  @Get()
  @Operation({
    id: 'listJobs',
    summary: 'List the jobs of the service, when they run next, and how their last runs ended',
    access: adminOnly,
    answers: ServiceJobs,
  })
  list(): Promise<ServiceJobs> {
    return this.jobs.list();
  }

  @Get('dead')
  @Operation({
    id: 'listDeadJobs',
    summary: 'List the jobs that were given up',
    access: adminOnly,
    answers: DeadJobs,
    refusals: [InvalidCursor],
  })
  listDead(@Query({ schema: DeadJobsQuery }) query: DeadJobsQuery): Promise<DeadJobs> {
    return this.jobs.listDead(query);
  }

  @Post(':jobId/retry')
  @Operation({
    id: 'retryJob',
    summary: 'Let a job that was given up run again',
    access: adminOnly,
    status: 204,
    refusals: [NotFound],
  })
  retry(@Param('jobId', { schema: JobId }) jobId: string): Promise<void> {
    return this.jobs.retry(jobId);
  }
}
