import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { MetaFailure } from '../../../../integrations/meta/meta-failure.js';
import { asRefusal } from '../../../../kernel/http/problem-mapping.js';
import { JobHandler, Scheduled } from '../../../../kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../../../kernel/jobs/jobs.js';
import { Database } from '../../../../kernel/tenancy/database.js';
import { Transactions } from '../../../../kernel/tenancy/transactions.js';
import { ConnectionHealth, type Watched } from './connection-health.js';
import { HealthRecords } from './health-records.js';

const checkJob = 'messenger.check-health';
const batch = 50;
const defaultWaitSeconds = 900;

/** Looks after connections by the clock: a token that nobody uses dies unseen otherwise. */
@Injectable()
export class HealthJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly health: ConnectionHealth,
    private readonly records: HealthRecords,
  ) {}

  /**
   * The longest unseen first, so many at a time, until none is left: what a killed worker leaves, the next run finds at
   * its front. When Meta does not answer or we ask too often, the round goes on later from there.
   */
  @Scheduled('23 4 * * *')
  @JobHandler(checkJob, { payload: z.object({}) })
  async checkAll(): Promise<void> {
    const late = await this.records.oldest(batch);
    let unwritten = 0;
    for (const watched of late) {
      const outcome = await this.outcomeOf(watched);
      if (outcome === 'unwritten') unwritten += 1;
      if (!(outcome instanceof MetaFailure)) continue;
      if (outcome.kind === 'not-configured') return;
      return this.goOn(new Date(Date.now() + (outcome.retryAfter ?? defaultWaitSeconds) * 1000));
    }
    if (late.length === batch && unwritten < batch) await this.goOn();
  }

  /** Consents that nobody came back from, and choices that nobody made. */
  @Scheduled('37 * * * *')
  @JobHandler('messenger.clean-consents', { payload: z.object({}) })
  async clean(): Promise<void> {
    await this.transactions.runAs({ service: 'connect Messenger' }, async () => {
      await this.database.query('DELETE FROM public.messenger_authorizations WHERE expires_at < now()');
      await this.database.query('DELETE FROM public.messenger_pending_connections WHERE expires_at < now()');
    });
  }

  /** An owner as whom nothing can be written, disabled in this moment, keeps nobody else waiting. */
  private async outcomeOf(watched: Watched): Promise<MetaFailure | 'written' | 'unwritten'> {
    try {
      await this.health.check(watched);
      return 'written';
    } catch (error) {
      if (error instanceof MetaFailure) return error;
      asRefusal(error);
      return 'unwritten';
    }
  }

  private goOn(runAt?: Date): Promise<void> {
    return this.transactions.runAs({ service: 'check Messenger health' }, () =>
      this.jobs.enqueue(checkJob, {}, { key: checkJob, ...(runAt && { runAt }) }),
    );
  }
}
