import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Logger as QueueLogger, type Runner, run, type WorkerEvents } from 'graphile-worker';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { CONFIG, type Config } from '../config/config.js';
import { LOGGER } from '../observability/logger.js';
import { JobRuns } from './job-runs.js';
import { openQueuePool } from './queue-pool.js';

const heartbeatMs = 15_000;
const restartMs = 1_000;
/** How long a runner without workers may take to say that it has ended. */
const farewellMs = 1_000;
/** How long a stop waits for jobs; those that have not ended then are given back. */
const drainMs = 8_000;

interface Supervised {
  runner: Runner;
  /** Never rejects. */
  ended: Promise<void>;
}

/**
 * Takes jobs and lets their handlers run. Its own few connections are those of the queue's owner and touch the queue
 * only; a handler reaches data through tenant transactions like everybody.
 */
@Injectable()
export class JobWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private pool: Pool | undefined;
  private runner: Runner | undefined;
  private heartbeat: NodeJS.Timeout | undefined;
  /** The name in which the present runner locks its jobs. */
  private poolId: string | undefined;
  private isStopping = false;
  private supervision: Promise<void> | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly runs: JobRuns,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { jobs, database } = this.config;
    const pool = openQueuePool(database.workerUrl, jobs.concurrency + 2, (error) =>
      this.logger.warn({ code: 'code' in error ? error.code : undefined }, 'queue connection lost'),
    );
    this.pool = pool;
    const first = await this.startRunner(pool);
    this.runner = first.runner;
    this.supervision = this.supervise(pool, first);
    this.heartbeat = setInterval(() => void this.beat(pool), heartbeatMs);
    await this.beat(pool);
  }

  /** Before the connections of the handlers are closed, so that what runs can end. */
  async beforeApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    clearInterval(this.heartbeat);
    await this.runner?.stop().catch(() => undefined);
    await this.supervision;
    await this.pool?.end();
  }

  /**
   * graphile-worker gives up for good when it cannot write down that a job has ended. Then the job runs once more, after
   * its lock is given back by a heartbeat, and the worker goes on as soon as the database is there.
   */
  private async supervise(pool: Pool, first: Supervised): Promise<void> {
    let present: Supervised | undefined = first;
    while (!this.isStopping) {
      await present?.ended;
      if (this.isStopping) return;
      this.poolId = undefined;
      this.logger.warn('The worker lost the queue and starts again.');
      await delay(restartMs);
      present = await this.startRunner(pool).catch(() => undefined);
      this.runner = present?.runner;
    }
    // A stop that came while the runner was being started found nothing to stop.
    await present?.runner.stop().catch(() => undefined);
  }

  private async startRunner(pgPool: Pool): Promise<Supervised> {
    const events: WorkerEvents = new EventEmitter();
    events.on('pool:create', ({ workerPool }) => {
      this.poolId = workerPool.id;
    });
    const workersStopped = this.allWorkersStop(events);
    const runner = await run({
      pgPool,
      noHandleSignals: true,
      preset: {
        worker: {
          concurrentJobs: this.config.jobs.concurrency,
          pollInterval: 2_000,
          gracefulShutdownAbortTimeout: drainMs,
          // Batches of what is there at once: without them a database that is away ends the process
          // (the promise of the single statement is handled by nobody, graphile-worker 0.18 main.js).
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      taskList: this.runs.taskList(),
      events,
      logger: new QueueLogger(() => (level, message) => {
        if (level === 'error' || level === 'warning') this.logger.debug({ queue: level }, message.split('\n')[0]);
      }),
    });
    const settled = runner.promise.catch(() => undefined);
    return { runner, ended: Promise.race([settled, workersStopped.then(() => dismiss(runner))]) };
  }

  /**
   * After two failed batches a runner waits for good for what it takes to be under way (graphile-worker 0.18 main.js
   * counts down once too often), and its promise is never settled. Without workers it takes no job any more.
   */
  private allWorkersStop(events: WorkerEvents): Promise<void> {
    let working = this.config.jobs.concurrency;
    return new Promise((resolve) => {
      events.on('worker:stop', () => {
        working -= 1;
        if (working === 0) resolve();
      });
    });
  }

  private async beat(pool: Pool): Promise<void> {
    try {
      await pool.query('SELECT jobs.heartbeat($1)', [this.poolId ? [this.poolId] : []]);
    } catch {
      this.logger.warn('The queue cannot be reached.');
    }
  }
}

async function dismiss(runner: Runner): Promise<void> {
  await delay(farewellMs, undefined, { ref: false });
  // What it still has, its listener and its schedule, is given up; whether that works is seen by nobody any more.
  void runner.stop().catch(() => undefined);
}
