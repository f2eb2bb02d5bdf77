import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

/** What days do to goals. Both run every hour, because a day begins somewhere every hour. */
@Injectable()
export class GoalsJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
  ) {}

  /** A row of progress for each active goal and day, also where no fact came in. */
  @Scheduled('2 * * * *')
  @JobHandler('metrics.record-goal-progress', { payload: z.object({}) })
  async recordProgress(): Promise<void> {
    await this.transactions.runAs({ service: 'measure goals' }, () =>
      this.database.query('SELECT app.measure_goals_of_new_days()'),
    );
  }

  /** A goal whose last facts wait for their roll-up is closed an hour later. */
  @Scheduled('12 * * * *')
  @JobHandler('metrics.close-goals', { payload: z.object({}) })
  async close(): Promise<void> {
    await this.transactions.runAs({ service: 'close goals' }, () => this.database.query('SELECT app.close_goals()'));
  }
}
