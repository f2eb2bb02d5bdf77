import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { processJob } from './inbox-shards.js';

const ProcessJob = z.object({ shard: z.int() });

/** Works the inbox off, each part by one worker at a time. */
@Injectable()
export class InboxJobs {
  @JobHandler(processJob, { payload: ProcessJob })
  async process(): Promise<void> {}
}
