import { EventEmitter } from 'node:events';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Logger as QueueLogger, type Runner, run, type TaskList, type WorkerEvents } from 'graphile-worker';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { CONFIG, type Config } from '../config/config.js';
import { LOGGER } from '../observability/logger.js';
import { Metrics } from '../observability/metrics.js';
import { JobFailure } from './job-failure.js';
import { JobRegistry, type RegisteredJob } from './job-registry.js';
import { openQueuePool } from './queue-pool.js';

const heartbeatMs = 15_000;

/**
 * Takes jobs and runs their handlers. Its own few connections are those of the queue's owner and touch the queue only;
 * a handler reaches data through tenant transactions like everybody.
 */
@Injectable()
export class JobWorker implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly workers = new Set<string>();
  private pool: Pool | undefined;
  private runner: Runner | undefined;
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly registry: JobRegistry,
    private readonly metrics: Metrics,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { jobs, database } = this.config;
    const pool = openQueuePool(database.workerUrl, jobs.concurrency + 2, (error) =>
      this.logger.warn({ code: 'code' in error ? error.code : undefined }, 'queue connection lost'),
    );
    this.pool = pool;
    this.runner = await run({
      pgPool: pool,
      concurrency: jobs.concurrency,
      noHandleSignals: true,
      pollInterval: 2_000,
      gracefulShutdownAbortTimeout: 8_000,
      taskList: this.taskList(),
      events: this.watchWorkers(),
      logger: new QueueLogger(() => (level, message) => {
        if (level === 'error' || level === 'warning') this.logger.debug({ queue: level }, message.split('\n')[0]);
      }),
    });
    this.heartbeat = setInterval(() => void this.beat(pool), heartbeatMs);
    await this.beat(pool);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.heartbeat);
    // Jobs that do not end in time are released and run again elsewhere.
    await this.runner?.stop().catch(() => undefined);
    await this.pool?.end();
  }

  private taskList(): TaskList {
    return Object.fromEntries(
      this.registry
        .all()
        .map((job) => [
          job.name,
          (payload: unknown, { job: { id, attempts } }) => this.perform(job, payload, id, attempts),
        ]),
    );
  }

  private async perform(job: RegisteredJob, payload: unknown, id: string, attempt: number): Promise<void> {
    const started = performance.now();
    const finish = (outcome: 'done' | 'failed', failure?: JobFailure) => {
      const durationMs = performance.now() - started;
      this.metrics.jobFinished(job.name, outcome, durationMs / 1000);
      const line = {
        job: job.name,
        jobId: id,
        attempt,
        outcome,
        durationMs: Math.round(durationMs),
        failure: failure?.message,
      };
      this.logger[failure ? 'warn' : 'info'](line, 'job');
    };
    try {
      await job.run(job.payload.parse(payload));
      finish('done');
    } catch (error) {
      const failure = new JobFailure(error);
      finish('failed', failure);
      throw failure;
    }
  }

  private watchWorkers(): WorkerEvents {
    const events: WorkerEvents = new EventEmitter();
    // A job is locked in the name of the pool of workers, not of the one that runs it.
    events.on('pool:create', ({ workerPool }) => this.workers.add(workerPool.id));
    events.on('pool:release', ({ workerPool }) => this.workers.delete(workerPool.id));
    return events;
  }

  private async beat(pool: Pool): Promise<void> {
    try {
      await pool.query('SELECT jobs.heartbeat($1)', [[...this.workers]]);
    } catch {
      this.logger.warn('The queue cannot be reached.');
    }
  }
}
