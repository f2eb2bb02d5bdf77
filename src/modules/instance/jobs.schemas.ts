import { z } from 'zod';
import { pageOf, pageQuery } from '../../kernel/http/page.js';
import { Timestamp } from '../../kernel/http/primitives.js';

export const JobId = z
  .string()
  .regex(/^\d{1,18}$/)
  .meta({ description: 'The number that the queue gave the job.' });

const JobRun = z.object({
  startedAt: Timestamp,
  finishedAt: Timestamp.nullable(),
  outcome: z.enum(['running', 'done', 'failed', 'lost']).meta({
    description: '`lost`: its worker was killed before the end; the job runs again.',
  }),
  durationMs: z.int().nullable(),
  failure: z.string().nullable().meta({ description: 'Classes and codes of what went wrong, not about whom.' }),
});

export const ServiceJob = z
  .object({
    name: z.string(),
    schedule: z.string().nullable().meta({ description: 'Five cron fields, in UTC; null where requests add the job.' }),
    nextRunAt: Timestamp.nullable(),
    runs: z.array(JobRun).meta({ description: 'The last five of a scheduled job, newest first.' }),
  })
  .meta({ id: 'ServiceJob' });

export const ServiceJobs = z.object({ data: z.array(ServiceJob) }).meta({ id: 'ServiceJobs' });
export type ServiceJobs = z.input<typeof ServiceJobs>;

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
