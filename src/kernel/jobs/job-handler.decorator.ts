import { SetMetadata } from '@nestjs/common';
import type { z } from 'zod';

export const JOB_HANDLER = 'polyclinic:job-handler';
export const SCHEDULED = 'polyclinic:scheduled';

export interface JobHandlerOptions {
  name: string;
  /** Checked before the handler runs. Ids only: a payload rests in the queue and must hold no token and no health data. */
  payload: z.ZodType;
  maxAttempts: number;
}

/** Makes a method the one handler of a job. It must be idempotent: a job whose worker was killed runs again. */
export function JobHandler(name: string, options: { payload: z.ZodType; maxAttempts?: number }): MethodDecorator {
  return SetMetadata(JOB_HANDLER, { name, payload: options.payload, maxAttempts: options.maxAttempts ?? 10 });
}

/** Enqueues the handler's job by the clock: five cron fields, in UTC. Once per period however many instances run. */
export function Scheduled(cron: string): MethodDecorator {
  return SetMetadata(SCHEDULED, cron);
}
