import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { Forbidden, NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { GoalPeriods } from './goal-periods.js';
import { holdGoalsOf, selectGoals } from './goal-standing.js';
import { assertTransition, isClosed } from './goal-states.js';
import { GoalClosed } from './goals.errors.js';
import type {
  Goal,
  GoalChanges,
  GoalProgress,
  GoalProgressDay,
  GoalProgressQuery,
  Goals,
  GoalsQuery,
} from './goals.schemas.js';

@Injectable()
export class GoalsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly periods: GoalPeriods,
  ) {}

  async list(clinicId: string, query: GoalsQuery): Promise<Goals> {
    const [afterStart, afterId] = query.cursor ? this.cursors.decode(query.cursor, 'goals') : [null, null];
    const { status, provider, metric, timePeriod, from, to } = query;
    const filters = [status, provider, metric, timePeriod, from, to].map((value) => value ?? null);
    const values = [clinicId, ...filters, afterStart, afterId, query.limit + 1];
    const rows = await this.database.query<Goal>(listGoals, values);
    return toPage(rows, query.limit, ({ startDate, id }) => this.cursors.encode([startDate, id], 'goals'));
  }

  async get(clinicId: string, goalId: string): Promise<Goal> {
    const goal = await this.database.first<Goal>(getGoal, [clinicId, goalId]);
    if (!goal) throw new NotFound();
    return goal;
  }

  async change(clinicId: string, goalId: string, changes: GoalChanges, ifMatch?: string): Promise<Goal> {
    if (changes.status === 'active' || changes.startDate || changes.endDate)
      await this.database.query(holdGoalsOf, [clinicId]);
    const goal = await this.lock(clinicId, goalId);
    assertIfMatch(ifMatch, etagOf(goal.updatedAt as Date));
    assertTransition(goal.status, changes.status ?? goal.status);
    if (isClosed(goal.status)) throw new GoalClosed();
    const update = partialUpdate({
      table: 'public.goals',
      where: { clinic_id: clinicId, id: goalId },
      changes: await this.withPeriod(goal, changes),
      columns: changeable,
      returning: 'id',
    });
    if (!update) return goal;
    await this.database.query(update.text, update.values);
    return this.get(clinicId, goalId);
  }

  async remove(clinicId: string, goalId: string): Promise<void> {
    const [removed] = await this.database.query(deleteGoal, [clinicId, goalId]);
    if (!removed) throw new NotFound();
  }

  async progress(clinicId: string, goalId: string, query: GoalProgressQuery): Promise<GoalProgress> {
    await this.get(clinicId, goalId);
    const purpose = `progress of ${goalId}`;
    const [after] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null];
    const rows = await this.database.query<GoalProgressDay>(listProgress, [clinicId, goalId, after, query.limit + 1]);
    return toPage(rows, query.limit, ({ date }) => this.cursors.encode([date], purpose));
  }

  /** The goal, held against changes. A policy hides from the lock what the caller may read but not change. */
  private async lock(clinicId: string, goalId: string): Promise<Goal> {
    const [locked] = await this.database.query(lockGoal, [clinicId, goalId]);
    const goal = await this.get(clinicId, goalId);
    if (!locked) throw new Forbidden('A provider changes own goals only.');
    return goal;
  }

  /** The end moves with the start, unless the period is a custom one. */
  private async withPeriod(goal: Goal, changes: GoalChanges): Promise<GoalChanges> {
    if (changes.startDate === undefined && changes.endDate === undefined) return changes;
    const { timePeriod } = goal;
    const startDate = changes.startDate ?? (goal.startDate as string);
    const present = timePeriod === 'custom' ? (goal.endDate as string) : undefined;
    const endDate = await this.periods.endOf({ timePeriod, startDate, endDate: changes.endDate ?? present });
    return { ...changes, startDate, endDate };
  }
}

const listGoals = `${selectGoals}
  WHERE g.clinic_id = $1
    AND ($2::text IS NULL OR g.status = $2)
    AND ($3::uuid IS NULL OR g.provider_id = $3)
    AND ($4::text IS NULL OR d.code = $4)
    AND ($5::text IS NULL OR g.time_period = $5)
    AND ($6::date IS NULL OR g.end_date >= $6)
    AND ($7::date IS NULL OR g.start_date <= $7)
    AND ($8::date IS NULL OR (g.start_date, g.id) < ($8, $9::uuid))
  ORDER BY g.start_date DESC, g.id DESC LIMIT $10`;

const getGoal = `${selectGoals} WHERE g.clinic_id = $1 AND g.id = $2`;

const lockGoal = 'SELECT id FROM public.goals WHERE clinic_id = $1 AND id = $2 FOR UPDATE';

const deleteGoal = 'DELETE FROM public.goals WHERE clinic_id = $1 AND id = $2 RETURNING id';

const listProgress = `
  SELECT date::text AS date, round(value, 2) AS value, target_value, progress FROM public.goal_progress
   WHERE clinic_id = $1 AND goal_id = $2 AND ($3::date IS NULL OR date < $3)
   ORDER BY public.goal_progress.date DESC LIMIT $4`;

const changeable = {
  name: 'name',
  startDate: 'start_date',
  endDate: 'end_date',
  targetValue: 'target_value',
  direction: 'direction',
  status: 'status',
};
