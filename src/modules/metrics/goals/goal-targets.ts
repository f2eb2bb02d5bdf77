import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import { Formulas } from '../definitions/formulas.js';
import { TargetUnknown } from './goals.errors.js';

interface Wanted {
  clinicId: string;
  metricId: string;
  formula: string;
  timePeriod: string;
  startDate: string;
  endDate: string;
  providerIds: readonly (string | null)[];
  /** The field of the request that names the provider of this index. */
  pathOf: (index: number) => string;
}

/** What formulas of templates may name beside metrics: the goal's own metric, earlier. */
const earlierValues = ['last_value', 'last_year_value'];

/** The targets that a template's formula gives. */
@Injectable()
export class GoalTargets {
  constructor(
    private readonly database: Database,
    private readonly formulas: Formulas,
  ) {}

  /** In postfix order over base codes and earlier values. @throws InvalidFormula */
  compile(formula: string, clinicId: string | null): Promise<string[]> {
    return this.formulas.compile(formula, { clinicId, extraNames: earlierValues, path: 'targetFormula' });
  }

  /**
   * A target for each, from what was before the goal begins.
   *
   * Compiled when it is used, so that it means what the clinic's metrics mean on that day.
   *
   * @throws TargetUnknown naming those who have no earlier value: nothing known is no target of 0
   */
  async of(wanted: Wanted): Promise<string[]> {
    const { clinicId, metricId, timePeriod, startDate, endDate, providerIds, pathOf } = wanted;
    const postfix = await this.compile(wanted.formula, clinicId);
    const values = [clinicId, metricId, postfix, timePeriod, startDate, endDate, providerIds];
    const rows = await this.database.query<{ target: string | null; name: string | null }>(findTargets, values);
    const errors = rows.flatMap(({ target, name }, index) =>
      target === null
        ? [{ path: pathOf(index), code, message: `Nothing is known before for ${name ?? 'the clinic'}.` }]
        : [],
    );
    if (errors.length > 0) throw new TargetUnknown(errors.map(({ message }) => message).join(' '), { errors });
    return rows.flatMap(({ target }) => target ?? []);
  }
}

const code = TargetUnknown.definition.code;

const findTargets = `
  SELECT app.goal_target($1, w.provider_id, $2, $3, $4, $5, $6) AS target, p.name
    FROM unnest($7::uuid[]) WITH ORDINALITY AS w (provider_id, position)
    LEFT JOIN public.providers p ON p.clinic_id = $1 AND p.id = w.provider_id
   ORDER BY w.position`;
