import { once } from 'node:events';
import { Inject, Injectable } from '@nestjs/common';
import type { JobHelpers, TaskList } from 'graphile-worker';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/logger.js';
import { Metrics } from '../observability/metrics.js';
import { JobFailure, JobInterrupted } from './job-failure.js';
import { JobRegistry, type RegisteredJob } from './job-registry.js';
import { RunHistory } from './run-history.js';

/** Runs the handlers: payload checked, outcome logged and counted, failures put into words that may be kept. */
@Injectable()
export class JobRuns {
  constructor(
    private readonly registry: JobRegistry,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly metrics: Metrics,
    private readonly history: RunHistory,
  ) {}

  taskList(): TaskList {
    const tasks = this.registry.all().map((job) => {
      const task = (payload: unknown, helpers: JobHelpers) => this.run(job, payload, helpers);
      return [job.name, task] as const;
    });
    return Object.fromEntries(tasks);
  }

  private async run(job: RegisteredJob, payload: unknown, helpers: JobHelpers) {
    const { id, attempts } = helpers.job;
    const end = await this.history.begin(job, helpers);
    const started = performance.now();
    const failure = await attempt(job, payload, helpers.abortSignal);
    const durationMs = performance.now() - started;
    await end(durationMs, failure?.message ?? null);
    const outcome = failure ? 'failed' : 'done';
    this.metrics.jobFinished(job.name, outcome, durationMs / 1000);
    const line = { job: job.name, jobId: id, attempt: attempts, outcome, durationMs: Math.round(durationMs) };
    if (failure) {
      this.logger.warn({ ...line, failure: failure.message }, 'job');
      throw failure;
    }
    this.logger.info(line, 'job');
  }
}

async function attempt(job: RegisteredJob, payload: unknown, stopping: AbortSignal): Promise<JobFailure | undefined> {
  const ended = new AbortController();
  try {
    await Promise.race([job.run(job.payload.parse(payload)), interruption(stopping, ended.signal)]);
    return undefined;
  } catch (error) {
    return new JobFailure(error);
  } finally {
    ended.abort();
  }
}

/** Rejects when the process cannot wait for the job any longer: it is given back, and runs again. */
async function interruption(stopping: AbortSignal, ended: AbortSignal): Promise<never> {
  await once(stopping, 'abort', { signal: ended });
  throw new JobInterrupted();
}
