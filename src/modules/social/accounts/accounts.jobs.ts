import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import { DomainError } from '../../../kernel/errors/domain-error.js';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { AccountHealth } from './account-health.js';
import { AccountLapses, checkJob } from './account-lapses.js';
import { TokenRenewal } from './token-renewal.js';

const renewJob = 'social.renew-account';
const AccountJob = z.object({ accountId: z.uuid() });

/** As many as an hour asks: a week's worth is over 8,000 accounts. */
const checksAtOnce = 50;
const defaultWaitSeconds = 900;

/** Looks after accounts by the clock: renews what ends, and asks how those are that have no end. */
@Injectable()
export class AccountsJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly health: AccountHealth,
    private readonly renewal: TokenRenewal,
    private readonly lapses: AccountLapses,
  ) {}

  /** A job for each, so that one that Meta refuses or slows down does not keep the others waiting. */
  @Scheduled('41 4 * * *')
  @JobHandler('social.renew-accounts', { payload: z.object({}) })
  async renewEnding(): Promise<void> {
    const ending = await this.renewal.findEnding();
    await this.asService(async () => {
      for (const { id } of ending) await this.enqueue(renewJob, id);
    });
  }

  /** A failure is written down and tried again the next day; a rate limit is no failure, and waited for. */
  @JobHandler(renewJob, { payload: AccountJob })
  async renew({ accountId }: z.infer<typeof AccountJob>): Promise<void> {
    try {
      await this.renewal.renew(accountId);
    } catch (error) {
      if (error instanceof DomainError) return;
      if (!(error instanceof MetaFailure)) throw error;
      if (error.kind === 'not-configured') return;
      if (error.kind === 'rate-limited') return this.later(renewJob, accountId, error);
      if (await this.isStillTaken(accountId)) await this.lapses.noteFailedRenewal(accountId);
    }
  }

  /** The longest unseen first. A rate limit ends the round: the next hour goes on where it stopped. */
  @Scheduled('17 * * * *')
  @JobHandler('social.check-accounts', { payload: z.object({}) })
  async checkStale(): Promise<void> {
    for (const { id } of await this.health.findStale(checksAtOnce)) {
      try {
        await this.health.check(id);
      } catch (error) {
        if (!(error instanceof MetaFailure)) throw error;
        if (['rate-limited', 'unavailable', 'not-configured'].includes(error.kind)) return;
      }
    }
  }

  @JobHandler(checkJob, { payload: AccountJob })
  async check({ accountId }: z.infer<typeof AccountJob>): Promise<void> {
    try {
      await this.health.check(accountId);
    } catch (error) {
      if (!(error instanceof MetaFailure)) throw error;
      if (error.kind === 'rate-limited') return this.later(checkJob, accountId, error);
      if (error.kind !== 'not-configured') throw error;
    }
  }

  @Scheduled('29 * * * *')
  @JobHandler('social.clean-connections', { payload: z.object({}) })
  async clean(): Promise<void> {
    await this.transactions.runAs({ service: 'connect Meta' }, async () => {
      await this.database.query('DELETE FROM public.social_authorizations WHERE expires_at < now()');
      await this.database.query('DELETE FROM public.social_pending_connections WHERE expires_at < now()');
    });
  }

  /** An account whose own token is dead, too, has expired and needs no counting. Meta's silence says nothing of it. */
  private async isStillTaken(accountId: string): Promise<boolean> {
    try {
      return await this.health.check(accountId);
    } catch (error) {
      if (error instanceof MetaFailure) return true;
      throw error;
    }
  }

  private later(name: string, accountId: string, { retryAfter = defaultWaitSeconds }: MetaFailure): Promise<void> {
    return this.asService(() => this.enqueue(name, accountId, new Date(Date.now() + retryAfter * 1000)));
  }

  private enqueue(name: string, accountId: string, runAt?: Date): Promise<void> {
    return this.jobs.enqueue(name, { accountId }, { key: `${name}:${accountId}`, ...(runAt && { runAt }) });
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'check social accounts' }, work);
  }
}
