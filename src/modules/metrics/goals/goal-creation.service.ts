import { Injectable } from '@nestjs/common';
import type { FieldError } from '../../../kernel/errors/domain-error.js';
import { AlreadyExists, RuleViolated, UnknownReference } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { GoalPeriods } from './goal-periods.js';
import { holdGoalsOf, selectGoals } from './goal-standing.js';
import { GoalTargets } from './goal-targets.js';
import { GoalTemplatesService } from './goal-templates.service.js';
import type { CreatedGoals, Goal, GoalsFromTemplate, NewGoal } from './goals.schemas.js';
import { MetricLookup } from './metric-lookup.js';

interface Person {
  id: string;
  name: string;
}

/** What all goals of one creation have in common. */
interface Plan {
  clinicId: string;
  metricId: string;
  templateId: string | null;
  name: string;
  timePeriod: string;
  startDate: string;
  endDate: string;
  direction: string;
  status: 'draft' | 'active';
}

@Injectable()
export class GoalCreation {
  constructor(
    private readonly database: Database,
    private readonly metrics: MetricLookup,
    private readonly periods: GoalPeriods,
    private readonly templates: GoalTemplatesService,
    private readonly targets: GoalTargets,
  ) {}

  async create(clinicId: string, goal: NewGoal): Promise<Goal> {
    const metric = await this.metrics.find(goal.metric, clinicId);
    const { timePeriod, startDate, direction, status, providerId, targetValue } = goal;
    const endDate = await this.periods.endOf(goal);
    const name = goal.name ?? metric.name;
    const common = { clinicId, metricId: metric.id, templateId: null, name };
    const plan: Plan = { ...common, timePeriod, startDate, endDate, direction, status };
    await this.assertFree(plan, [providerId], () => 'metric');
    const [created] = await this.insert(plan, [{ providerId, targetValue }]);
    return created as Goal;
  }

  /** One goal for each, or none at all when one of them cannot be. */
  async createFromTemplate(clinicId: string, request: GoalsFromTemplate): Promise<CreatedGoals> {
    const { templateId, startDate, status } = request;
    const template = await this.templates.referred(clinicId, templateId);
    const { name, timePeriod, direction } = template;
    const endDate = await this.periods.endOf({ timePeriod, startDate });
    const metricId = template.metricDefinitionId;
    const plan: Plan = { clinicId, metricId, templateId, name, timePeriod, startDate, endDate, direction, status };
    const providers = await this.providersOf(clinicId, request.forProviders);
    const ids = providers?.map(({ id }) => id) ?? [null];
    const pathOf = (index: number): string => fieldOf(request.forProviders, index);
    await this.assertFree(plan, ids, pathOf);
    const formula = template.targetFormula;
    const targets = await this.targets.of({ ...plan, formula, providerIds: ids, pathOf });
    const goals = ids.map((providerId, index) => ({ providerId, targetValue: targets[index] ?? '' }));
    return { data: await this.insert(plan, goals) };
  }

  /** @returns null for the clinic as a whole */
  private async providersOf(clinicId: string, wanted: GoalsFromTemplate['forProviders']): Promise<Person[] | null> {
    if (wanted === null) return null;
    if (wanted === 'all') {
      const active = await this.database.query<Person>(activeProviders, [clinicId]);
      if (active.length === 0) throw new RuleViolated('The clinic has no active provider.');
      return active;
    }
    const chosen = [...new Set(wanted)];
    const found = await this.database.query<Person>(providersByIds, [clinicId, chosen]);
    const missing = chosen.filter((id) => found.every((provider) => provider.id !== id));
    if (missing.length === 0) return found;
    const message = 'There is no such provider in this clinic.';
    const errors = missing.map((id) => ({ path: `forProviders.${wanted.indexOf(id)}`, code: unknown, message }));
    throw new UnknownReference(message, { errors });
  }

  /**
   * Says who has a goal of that kind already. One creation of a clinic at a time: the constraint alone would let two
   * wait for each other.
   */
  private async assertFree(
    plan: Plan,
    providerIds: readonly (string | null)[],
    pathOf: (index: number) => string,
  ): Promise<void> {
    if (plan.status !== 'active') return;
    const { clinicId, metricId, timePeriod, startDate, endDate } = plan;
    await this.database.query(holdGoalsOf, [clinicId]);
    const values = [clinicId, metricId, timePeriod, startDate, endDate, providerIds];
    const taken = await this.database.query<{ index: number; name: string | null }>(findTaken, values);
    if (taken.length === 0) return;
    const errors: FieldError[] = taken.map(({ index, name }) => ({
      path: pathOf(index),
      code: AlreadyExists.definition.code,
      message: `${name ?? 'The clinic'} has an active goal for this metric and period.`,
    }));
    throw new AlreadyExists(errors.map(({ message }) => message).join(' '), { errors });
  }

  private async insert(
    plan: Plan,
    goals: readonly { providerId: string | null; targetValue: string }[],
  ): Promise<Goal[]> {
    const { clinicId, metricId, templateId, name, timePeriod, startDate, endDate, direction, status } = plan;
    const common = [clinicId, metricId, templateId, name, timePeriod, startDate, endDate, direction, status];
    const inserted = await this.database.query<{ id: string }>(insertGoals, [
      ...common,
      goals.map(({ providerId }) => providerId),
      goals.map(({ targetValue }) => targetValue),
    ]);
    return this.database.query<Goal>(createdGoals, [clinicId, inserted.map(({ id }) => id)]);
  }
}

const unknown = UnknownReference.definition.code;

function fieldOf(wanted: GoalsFromTemplate['forProviders'], index: number): string {
  return Array.isArray(wanted) ? `forProviders.${index}` : 'forProviders';
}

const activeProviders = `
  SELECT id, name FROM public.providers WHERE clinic_id = $1 AND status = 'active' ORDER BY name, id`;

const providersByIds = `
  SELECT p.id, p.name FROM unnest($2::uuid[]) WITH ORDINALITY AS w (id, position)
    JOIN public.providers p ON p.clinic_id = $1 AND p.id = w.id ORDER BY w.position`;

/** Compared by days, not as ranges: a range that ends before it starts is an error, and refused in better words. */
const findTaken = `
  SELECT (w.position - 1)::integer AS index, p.name
    FROM unnest($6::uuid[]) WITH ORDINALITY AS w (provider_id, position)
    LEFT JOIN public.providers p ON p.clinic_id = $1 AND p.id = w.provider_id
   WHERE EXISTS (SELECT FROM public.goals g
                  WHERE g.clinic_id = $1 AND g.status = 'active' AND g.metric_definition_id = $2 AND g.time_period = $3
                    AND g.start_date <= $5 AND g.end_date >= $4 AND g.provider_id IS NOT DISTINCT FROM w.provider_id)
   ORDER BY w.position`;

const insertGoals = `
  INSERT INTO public.goals (clinic_id, metric_definition_id, template_id, name, time_period, start_date, end_date,
    direction, status, provider_id, target_value, created_by)
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, w.provider_id, w.target_value, app.user_id()
    FROM unnest($10::uuid[], $11::numeric[]) AS w (provider_id, target_value)
  RETURNING id`;

const createdGoals = `${selectGoals} WHERE g.clinic_id = $1 AND g.id = ANY ($2) ORDER BY p.name, g.id`;
