import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

/** Makes the partitions of this year and the next in good time, so that no fact ever lies in the default one. */
@Injectable()
export class FactPartitions {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
  ) {}

  @Scheduled('41 2 * * *')
  @JobHandler('metrics.partitions', { payload: z.object({}) })
  async add(): Promise<void> {
    await this.transactions.runAs({ service: 'make partitions' }, async () => {
      await this.database.query(addPartitions);
    });
  }
}

const addPartitions = `
  SELECT app.add_fact_partitions(extract(year FROM now())::integer + ahead) FROM generate_series(0, 1) AS ahead`;
