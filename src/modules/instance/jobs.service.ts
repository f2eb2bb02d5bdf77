import { Injectable } from '@nestjs/common';
import { Cursors } from '../../kernel/http/cursor.js';
import { NotFound } from '../../kernel/http/http.errors.js';
import { toPage } from '../../kernel/http/page.js';
import { DeadJobs } from '../../kernel/jobs/dead-jobs.js';
import { JobRegistry } from '../../kernel/jobs/job-registry.js';
import { RunHistory } from '../../kernel/jobs/run-history.js';
import { nextRunOf } from '../../kernel/jobs/schedule-times.js';
import type { DeadJobs as DeadJobsPage, DeadJobsQuery, ServiceJobs } from './jobs.schemas.js';

const purpose = 'dead-jobs';

const shownRuns = 5;

/** The jobs of the service, and what the queue gave up, for an operator to start again. Payloads stay in the queue. */
@Injectable()
export class JobsService {
  constructor(
    private readonly registry: JobRegistry,
    private readonly history: RunHistory,
    private readonly deadJobs: DeadJobs,
    private readonly cursors: Cursors,
  ) {}

  async list(): Promise<ServiceJobs> {
    const jobs = this.registry.all().sort((one, other) => one.name.localeCompare(other.name));
    const names = jobs.map(({ name }) => name);
    const runs = await this.history.recent(names, shownRuns);
    const data = jobs.map(({ name, schedule = null }) => ({
      name,
      schedule,
      nextRunAt: schedule === null ? null : nextRunOf(schedule),
      runs: runs.filter((run) => run.name === name),
    }));
    return { data };
  }

  async listDead({ cursor, limit }: DeadJobsQuery): Promise<DeadJobsPage> {
    const [afterId] = cursor ? this.cursors.decode(cursor, purpose) : [null];
    const jobs = await this.deadJobs.list(afterId === null ? null : String(afterId), limit + 1);
    return toPage(jobs, limit, (job) => this.cursors.encode([job.id], purpose));
  }

  async retry(jobId: string): Promise<void> {
    if (!(await this.deadJobs.retry(jobId))) throw new NotFound();
  }
}
