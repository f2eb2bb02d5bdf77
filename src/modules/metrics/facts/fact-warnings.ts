import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Warning } from './fact-fields.js';
import { type FactKind, financial } from './fact-kinds.js';

interface Day {
  date: string;
  production: string;
  collections: string;
  isHigh: boolean;
  isAbove: boolean;
}

/** What was written and looks wrong: a slip of a digit, money on the wrong day. It is said, never refused. */
@Injectable()
export class FactWarnings {
  constructor(
    private readonly database: Database,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * Looks at the days as they are after the write.
   *
   * @param dates the day of each fact of the request, undefined where it was refused
   * @param at where the facts stand in the request: `items.` of a batch
   */
  async about(
    kind: FactKind,
    clinicId: string,
    dates: readonly (string | undefined)[],
    at?: string,
  ): Promise<Warning[]> {
    const written = new Set(dates.filter((date) => date !== undefined));
    if (kind !== financial || written.size === 0) return [];
    const limit = this.config.productionWarningLimit;
    const days = await this.database.query<Day>(unusualDays, [clinicId, [...written], limit]);
    return days.flatMap((day) => {
      const path = at ? `${at}${dates.indexOf(day.date)}.amount` : 'amount';
      return warningsOf(day, limit).map((warning) => ({ ...warning, path }));
    });
  }
}

function warningsOf({ date, production, collections, isHigh, isAbove }: Day, limit: number): Warning[] {
  return [
    ...(isHigh
      ? [
          {
            code: 'production-unusually-high' as const,
            message: `Production of ${date} is ${production}, above ${limit}.`,
          },
        ]
      : []),
    ...(isAbove
      ? [
          {
            code: 'collections-above-production' as const,
            message: `Collections of ${date} are ${collections}, more than twice its production of ${production}.`,
          },
        ]
      : []),
  ];
}

const unusualDays = `
  SELECT date::text AS date, production, collections, production > $3 AS is_high,
         production > 0 AND collections > 2 * production AS is_above
    FROM (SELECT f.date, coalesce(sum(f.amount) FILTER (WHERE f.metric_type = 'production'), 0) AS production,
                 coalesce(sum(f.amount) FILTER (WHERE f.metric_type = 'collection'), 0) AS collections
            FROM public.financial_metrics f
           WHERE f.clinic_id = $1 AND f.date = ANY ($2::date[])
           GROUP BY f.date) d
   WHERE production > $3 OR (production > 0 AND collections > 2 * production)
   ORDER BY date`;
