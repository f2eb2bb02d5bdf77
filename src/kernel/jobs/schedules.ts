import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CronJob } from 'cron';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/logger.js';
import { Database } from '../tenancy/database.js';
import { Transactions } from '../tenancy/transactions.js';
import { JobFailure } from './job-failure.js';
import { JobRegistry } from './job-registry.js';
import { scheduleZone } from './schedule-times.js';

/** Ticks the scheduled jobs. A tick only enqueues, with the job and its minute as the key: ten instances, one run. */
@Injectable()
export class Schedules implements OnApplicationBootstrap {
  constructor(
    private readonly scheduler: SchedulerRegistry,
    private readonly registry: JobRegistry,
    private readonly transactions: Transactions,
    private readonly database: Database,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    for (const { name, schedule } of this.registry.all()) {
      if (schedule === undefined) continue;
      const cron = CronJob.from({
        cronTime: schedule,
        timeZone: scheduleZone,
        start: true,
        onTick: () => void this.tick(name, new Date()),
      });
      this.scheduler.addCronJob(name, cron as never);
    }
  }

  /** @returns whether this call enqueued the run of that minute; false when another instance had, or it failed */
  async tick(name: string, at: Date): Promise<boolean> {
    const minute = new Date(Math.floor(at.getTime() / 60_000) * 60_000);
    try {
      return await this.transactions.runAs({ service: 'tick schedules' }, async () => {
        const { maxAttempts } = this.registry.get(name);
        const row = await this.database.first<{ isFirst: boolean }>('SELECT jobs.tick($1, $2, $3) AS is_first', [
          name,
          minute,
          maxAttempts,
        ]);
        return row?.isFirst ?? false;
      });
    } catch (error) {
      // Most often the database is away: another instance's tick, or the next one, does the work.
      this.logger.warn({ job: name, failure: new JobFailure(error).message }, 'schedule');
      return false;
    }
  }
}
