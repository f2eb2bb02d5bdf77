import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { resolveJob } from './unresolved-events.js';

const ResolveJob = z.object({ pageIds: z.array(z.string()) });

/** What waited for its page is processed once the page is connected. */
@Injectable()
export class UnresolvedJobs {
  @JobHandler(resolveJob, { payload: ResolveJob })
  async resolve(): Promise<void> {}
}
