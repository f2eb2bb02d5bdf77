import { Injectable } from '@nestjs/common';
import { RuleViolated } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';

interface Period {
  timePeriod: string;
  startDate: string;
  endDate?: string | undefined;
}

/** When a goal ends. */
@Injectable()
export class GoalPeriods {
  constructor(private readonly database: Database) {}

  /** The end of a period from its start; that of a custom one is said. @throws RuleViolated */
  async endOf({ timePeriod, startDate, endDate }: Period): Promise<string> {
    const row = await this.database.first<{ end: string | null }>(periodEnd, [timePeriod, startDate]);
    const end = row?.end ?? endDate;
    if (end === undefined) throw refusedEnd('A custom period has an end date.');
    if (endDate !== undefined && endDate !== end)
      throw refusedEnd(`A ${timePeriod} goal that starts on ${startDate} ends on ${end}.`);
    return end;
  }
}

function refusedEnd(message: string): Error {
  return new RuleViolated(message, { errors: [{ path: 'endDate', code: RuleViolated.definition.code, message }] });
}

const periodEnd = 'SELECT app.goal_period_end($1, $2)::text AS end';
