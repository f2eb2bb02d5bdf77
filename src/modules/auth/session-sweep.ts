import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../kernel/tenancy/database.js';
import { Transactions } from '../../kernel/tenancy/transactions.js';

/** Removes sessions and mailed tokens a month after their term: until then they explain what an audit finds. */
@Injectable()
export class SessionSweep {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
  ) {}

  @Scheduled('23 3 * * *')
  @JobHandler('auth.sweep-sessions', { payload: z.object({}) })
  async sweep(): Promise<void> {
    await this.transactions.runAs({ service: 'sweep sessions' }, async () => {
      await this.database.query(`DELETE FROM auth.sessions WHERE expires_at < now() - interval '30 days'`);
      await this.database.query(`DELETE FROM auth.one_time_tokens WHERE expires_at < now() - interval '30 days'`);
      // What Facebook said of somebody explains nothing, and is not ours to keep.
      await this.database.query('DELETE FROM auth.facebook_codes WHERE expires_at < now()');
      await this.database.query('DELETE FROM auth.facebook_authorizations WHERE expires_at < now()');
    });
  }
}
