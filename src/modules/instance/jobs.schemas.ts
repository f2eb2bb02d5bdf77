import { z } from 'zod';
import { pageOf, pageQuery } from '../../kernel/http/page.js';
import { Timestamp } from '../../kernel/http/primitives.js';

export const JobId = z
  .string()
  .regex(/^\d{1,18}$/)
  .meta({ description: 'The number that the queue gave the job.' });

export const DeadJob = z
  .object({
    id: JobId,
    name: z.string(),
    attempts: z.int(),
    lastError: z.string().nullable(),
    createdAt: Timestamp,
    runAt: Timestamp,
    key: z.string().nullable(),
  })
  .meta({ id: 'DeadJob' });

export const DeadJobs = pageOf(DeadJob, 'DeadJobs');
export type DeadJobs = z.input<typeof DeadJobs>;

export const DeadJobsQuery = pageQuery;
export type DeadJobsQuery = z.infer<typeof DeadJobsQuery>;
