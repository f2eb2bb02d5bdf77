import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import { selectGoals } from './goal-standing.js';
import type { Goal } from './goals.schemas.js';

/** Goals for reports, under the policies of who asks. */
@Injectable()
export class GoalsReader {
  constructor(private readonly database: Database) {}

  /** The goals that were running on any of these days and still do, or ended; the clinic's before its providers'. */
  forPeriod(clinicId: string, from: string, to: string): Promise<Goal[]> {
    return this.database.query<Goal>(goalsOfPeriod, [clinicId, from, to]);
  }
}

const goalsOfPeriod = `${selectGoals}
  WHERE g.clinic_id = $1 AND g.status IN ('active', 'achieved', 'missed') AND g.end_date >= $2 AND g.start_date <= $3
  ORDER BY g.provider_id IS NOT NULL, d.name, p.name, g.start_date, g.id`;
