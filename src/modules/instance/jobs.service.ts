import { Injectable } from '@nestjs/common';
import { Cursors } from '../../kernel/http/cursor.js';
import { NotFound } from '../../kernel/http/http.errors.js';
import { toPage } from '../../kernel/http/page.js';
import { DeadJobs } from '../../kernel/jobs/dead-jobs.js';
import type { DeadJobs as DeadJobsPage, DeadJobsQuery } from './jobs.schemas.js';

const purpose = 'dead-jobs';

/** What the queue gave up: seen and started again by an operator. Payloads stay in the queue. */
@Injectable()
export class JobsService {
  constructor(
    private readonly deadJobs: DeadJobs,
    private readonly cursors: Cursors,
  ) {}

  async list({ cursor, limit }: DeadJobsQuery): Promise<DeadJobsPage> {
    const [afterId] = cursor ? this.cursors.decode(cursor, purpose) : [null];
    const jobs = await this.deadJobs.list(afterId === null ? null : String(afterId), limit + 1);
    return toPage(jobs, limit, (job) => this.cursors.encode([job.id], purpose));
  }

  async retry(jobId: string): Promise<void> {
    if (!(await this.deadJobs.retry(jobId))) throw new NotFound();
  }
}
