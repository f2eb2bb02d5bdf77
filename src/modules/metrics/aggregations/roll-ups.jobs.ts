import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { z } from 'zod';
import { JobHandler, Scheduled } from '../../../kernel/jobs/job-handler.decorator.js';
import { LOGGER } from '../../../kernel/observability/logger.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

/** Clinics of one transaction: few enough that it stays short, enough that those of a usual minute are one. */
const clinicsAtOnce = 20;
/** Sessions that share out the clinics: what many have to do at once is done in half the time. */
const sessions = 2;
/** How far back the nightly verification looks. */
const verifiedDays = 35;

/** Some clinics could not be rolled up; their days stay noted, and those of all others are done. */
class RollUpsFailed extends Error {
  override readonly name = 'RollUpsFailed';

  constructor(readonly clinics: number) {
    super(`${clinics} clinics could not be rolled up.`);
  }
}

/**
 * Keeps the roll-ups true: every minute those of the days whose facts changed, every night the last weeks again from
 * the facts, whatever was noted.
 */
@Injectable()
export class RollUpJobs {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Scheduled('* * * * *')
  @JobHandler('metrics.roll-up', { payload: z.object({}), maxAttempts: 3 })
  async rollUp(): Promise<void> {
    const outcomes = await Promise.allSettled(Array.from({ length: sessions }, () => this.takeAll()));
    // One clinic that cannot be rolled up must not hold up the others: each alone, to find it.
    if (outcomes.some(({ status }) => status === 'rejected')) await this.takeOneByOne();
  }

  @Scheduled('17 2 * * *')
  @JobHandler('metrics.verify-roll-ups', { payload: z.object({}), maxAttempts: 3 })
  async verify(): Promise<void> {
    for (const clinicId of await this.clinics(selectClinics)) {
      const { driftedRows = 0 } = (await this.asService(verifyClinic, [clinicId, verifiedDays])) ?? {};
      if (driftedRows > 0) this.logger.warn({ clinicId, driftedRows }, 'roll-ups had drifted from their facts');
    }
  }

  private async takeAll(): Promise<void> {
    for (let taken = 1; taken > 0; ) {
      taken = (await this.asService(takeNotes, [clinicsAtOnce, null]))?.taken ?? 0;
    }
  }

  private async takeOneByOne(): Promise<void> {
    let failed = 0;
    for (const clinicId of await this.clinics(selectNotedClinics)) {
      try {
        await this.asService(takeNotes, [1, clinicId]);
      } catch (error) {
        failed += 1;
        this.logger.warn({ clinicId, failure: error instanceof Error ? error.name : undefined }, 'roll-up failed');
      }
    }
    if (failed > 0) throw new RollUpsFailed(failed);
  }

  private async clinics(statement: string): Promise<string[]> {
    const rows = await this.transactions.runAs({ service: 'roll up facts' }, () =>
      this.database.query<{ id: string }>(statement),
    );
    return rows.map(({ id }) => id);
  }

  private asService(
    statement: string,
    values: unknown[],
  ): Promise<{ taken?: number; driftedRows?: number } | undefined> {
    return this.transactions.runAs({ service: 'roll up facts' }, () => this.database.first(statement, values));
  }
}

const takeNotes = 'SELECT app.roll_up_dirty_days($1, $2) AS taken';
const selectNotedClinics = 'SELECT DISTINCT clinic_id AS id FROM public.metric_dirty_days';
const selectClinics = `SELECT id FROM public.clinics WHERE status = 'active' ORDER BY id`;
const verifyClinic = 'SELECT drifted_rows FROM app.verify_roll_ups(ARRAY[$1::uuid], $2)';
