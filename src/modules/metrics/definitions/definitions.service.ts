import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { Forbidden, NotFound, UnknownReference } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { BaseMetric } from './definitions.errors.js';
import type {
  MetricDefinition,
  MetricDefinitionChanges,
  MetricDefinitions,
  MetricDefinitionsQuery,
  NewMetricDefinition,
} from './definitions.schemas.js';
import { FormulaKeeper } from './formula-keeper.js';

const purpose = 'metric-definitions';
const columns = `id, clinic_id, code, name, description, data_type, category, is_composite, calculation_formula, behaviour,
  is_system, created_at, updated_at`;

/** What is measured. `clinicId` null stands for the system: its metrics are everybody's to read and the admins' to write. */
@Injectable()
export class DefinitionsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly formulas: FormulaKeeper,
  ) {}

  /** The system's, and those of the clinic. */
  async list(clinicId: string | null, query: MetricDefinitionsQuery): Promise<MetricDefinitions> {
    const [after] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null];
    const values = [clinicId, query.category ?? null, after, query.limit + 1];
    const rows = await this.database.query<MetricDefinition>(listDefinitions, values);
    return toPage(rows, query.limit, ({ code }) => this.cursors.encode([code], purpose));
  }

  async get(clinicId: string | null, definitionId: string): Promise<MetricDefinition> {
    const row = await this.database.first<MetricDefinition>(getDefinition, [clinicId, definitionId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** The definitions of these codes, in their order. @throws UnknownReference naming each code that the clinic does not know */
  async requireCodes(clinicId: string, codes: readonly string[], path = 'metrics'): Promise<MetricDefinition[]> {
    const rows = await this.database.query<MetricDefinition>(getByCodes, [clinicId, codes]);
    const known = new Map(rows.map((row) => [row.code, row]));
    const unknown = codes.filter((code) => !known.has(code));
    if (unknown.length === 0) return codes.flatMap((code) => known.get(code) ?? []);
    const { code } = UnknownReference.definition;
    throw new UnknownReference(`There is no metric ${unknown.join(', ')}.`, {
      errors: unknown.map((name) => ({ path, code, message: `There is no metric '${name}'.` })),
    });
  }

  async create(clinicId: string | null, definition: NewMetricDefinition): Promise<MetricDefinition> {
    const { code, name, description, dataType, category, calculationFormula } = definition;
    const postfix = await this.formulas.compileNew(clinicId, code, calculationFormula);
    const described = [code, name, description, dataType, category, calculationFormula, postfix];
    const [row] = await this.database.query<MetricDefinition>(insertDefinition, [clinicId, ...described]);
    if (!row) throw new NotFound();
    return row;
  }

  async change(
    clinicId: string | null,
    definitionId: string,
    changes: MetricDefinitionChanges,
    ifMatch?: string,
  ): Promise<MetricDefinition> {
    const present = await this.own(clinicId, definitionId);
    assertIfMatch(ifMatch, etagOf(present.updatedAt as Date));
    const formula = changes.calculationFormula;
    const postfix = formula && (await this.formulas.recompile(clinicId, present.code, formula));
    const update = partialUpdate({
      table: 'public.metric_definitions',
      where: { id: definitionId },
      changes: { ...changes, postfix },
      columns: changeable,
      returning: columns,
    });
    if (!update) return present;
    const [row] = await this.database.query<MetricDefinition>(update.text, update.values);
    if (!row) throw new NotFound();
    return row;
  }

  /** Goals and formulas that rest on it keep it (409 `still-referenced`). */
  async remove(clinicId: string | null, definitionId: string): Promise<void> {
    const { code } = await this.own(clinicId, definitionId);
    await this.formulas.assertUnused(clinicId, code);
    const [removed] = await this.database.query(deleteDefinition, [definitionId]);
    if (!removed) throw new NotFound();
  }

  /** One that may be changed here: a clinic's own, or one of the system that is a formula. */
  private async own(clinicId: string | null, definitionId: string): Promise<MetricDefinition> {
    await this.formulas.lock(clinicId);
    const row = await this.database.first<MetricDefinition>(getOwnDefinition, [clinicId, definitionId]);
    if (!row) {
      await this.get(clinicId, definitionId);
      throw new Forbidden("The system's metrics are changed by admins, at /metrics/definitions.");
    }
    if (!row.isComposite) throw new BaseMetric();
    return row;
  }
}

const listDefinitions = `
  SELECT ${columns} FROM public.metric_definitions
   WHERE (clinic_id IS NULL OR clinic_id = $1)
     AND ($2::text IS NULL OR category = $2)
     AND ($3::text IS NULL OR code > $3)
   ORDER BY code LIMIT $4`;

const getDefinition = `
  SELECT ${columns} FROM public.metric_definitions WHERE (clinic_id IS NULL OR clinic_id = $1) AND id = $2`;

const getOwnDefinition = `
  SELECT ${columns} FROM public.metric_definitions WHERE clinic_id IS NOT DISTINCT FROM $1 AND id = $2`;

const getByCodes = `
  SELECT ${columns} FROM public.metric_definitions
   WHERE (clinic_id IS NULL OR clinic_id = $1) AND code = ANY ($2::text[])`;

const insertDefinition = `
  INSERT INTO public.metric_definitions
    (clinic_id, code, name, description, data_type, category, calculation_formula, postfix, is_composite, is_system,
     created_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, true, $1::uuid IS NULL, app.user_id())
  RETURNING ${columns}`;

const deleteDefinition = 'DELETE FROM public.metric_definitions WHERE id = $1 RETURNING id';

const changeable = {
  name: 'name',
  description: 'description',
  dataType: 'data_type',
  category: 'category',
  calculationFormula: 'calculation_formula',
  postfix: 'postfix',
};
