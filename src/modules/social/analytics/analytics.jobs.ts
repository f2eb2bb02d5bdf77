import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { MetaFailure, type MetaFailureKind } from '../../../integrations/meta/meta-failure.js';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { AccountNotConnected } from '../social.errors.js';
import { AnalyticsStore, readJob } from './analytics-store.js';
import { AnalyticsSync } from './analytics-sync.js';

const ReadJob = z.object({ accountId: z.uuid() });

/**
 * Seconds until an account is asked again, unless Meta names them. A token that is not taken is no matter of waiting: the
 * account has expired, and is read again once somebody connects it anew.
 */
const waits: Partial<Record<MetaFailureKind, number>> = {
  'not-configured': 3_600,
  'rate-limited': 1_200,
  unavailable: 900,
};
const longestWait = 24 * 3_600;

/** Reads analytics by the clock: every hour those of the posts whose turn it is. */
@Injectable()
export class AnalyticsJobs {
  constructor(
    private readonly store: AnalyticsStore,
    private readonly sync: AnalyticsSync,
  ) {}

  @Scheduled('7 * * * *')
  @JobHandler('social.read-analytics', { payload: z.object({}) })
  findDue(): Promise<void> {
    return this.store.enqueueDue();
  }

  @JobHandler(readJob, { payload: ReadJob })
  async read({ accountId }: z.infer<typeof ReadJob>): Promise<void> {
    try {
      await this.sync.run(accountId);
    } catch (error) {
      await this.stop(accountId, error);
    }
  }

  /** What Meta refuses is waited for; what failed here is the queue's to try again. */
  private async stop(accountId: string, error: unknown): Promise<void> {
    if (error instanceof AccountNotConnected) return;
    if (!(error instanceof MetaFailure)) throw error;
    const usual = waits[error.kind];
    if (usual === undefined) return;
    const seconds = Math.min(error.retryAfter ?? usual, longestWait);
    // Up to a fifth more: who was stopped together does not come back together.
    await this.store.wait(accountId, new Date(Date.now() + seconds * 1000 * (1 + Math.random() / 5)));
  }
}
