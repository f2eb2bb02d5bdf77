import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Database } from '../tenancy/database.js';
import { Transactions } from '../tenancy/transactions.js';
import { JobHandler, Scheduled } from './job-handler.decorator.js';

/** Removes what the kernel keeps for a time only: answers to idempotent requests and counted attempts. */
@Injectable()
export class Sweep {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
  ) {}

  @Scheduled('7 * * * *')
  @JobHandler('kernel.sweep', { payload: z.object({}) })
  async sweep(): Promise<void> {
    await this.transactions.runAs({ service: 'sweep expired keys' }, () => this.database.query('SELECT app.sweep()'));
  }
}
