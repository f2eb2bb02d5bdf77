import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { Forbidden, NotFound, UnknownReference } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { GoalTargets } from './goal-targets.js';
import type {
  GoalTemplate,
  GoalTemplateChanges,
  GoalTemplates,
  GoalTemplatesQuery,
  NewGoalTemplate,
} from './goal-templates.schemas.js';
import { MetricLookup } from './metric-lookup.js';

interface StoredTemplate extends GoalTemplate {
  metricDefinitionId: string;
}

/** Templates of a clinic, which are its own and the system's; and those of the system, whose clinic is null. */
@Injectable()
export class GoalTemplatesService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly metrics: MetricLookup,
    private readonly targets: GoalTargets,
  ) {}

  async list(clinicId: string | null, query: GoalTemplatesQuery): Promise<GoalTemplates> {
    const purpose = 'goal templates';
    const [afterName, afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null, null];
    const { category = null, metric = null, limit } = query;
    const values = [clinicId, category, metric, afterName, afterId, limit + 1];
    const rows = await this.database.query<GoalTemplate>(listTemplates, values);
    return toPage(rows, limit, ({ name, id }) => this.cursors.encode([name, id], purpose));
  }

  async get(clinicId: string | null, templateId: string): Promise<StoredTemplate> {
    const template = await this.database.first<StoredTemplate>(getTemplate, [clinicId, templateId]);
    if (!template) throw new NotFound();
    return template;
  }

  /** The template that a body names. @throws UnknownReference */
  async referred(clinicId: string, templateId: string): Promise<StoredTemplate> {
    const template = await this.database.first<StoredTemplate>(getTemplate, [clinicId, templateId]);
    if (template) return template;
    const message = 'There is no such template here.';
    const code = UnknownReference.definition.code;
    throw new UnknownReference(message, { errors: [{ path: 'templateId', code, message }] });
  }

  async create(clinicId: string | null, template: NewGoalTemplate): Promise<GoalTemplate> {
    const metric = await this.metrics.find(template.metric, clinicId);
    await this.targets.compile(template.targetFormula, clinicId);
    const { name, description, category, direction, targetFormula, timePeriod } = template;
    const values = [clinicId, name, description, category, metric.id, direction, targetFormula, timePeriod];
    const [row] = await this.database.query<{ id: string }>(insertTemplate, values);
    return this.get(clinicId, row?.id ?? '');
  }

  async change(
    clinicId: string | null,
    templateId: string,
    changes: GoalTemplateChanges,
    ifMatch?: string,
  ): Promise<GoalTemplate> {
    const template = await this.owned(clinicId, templateId);
    assertIfMatch(ifMatch, etagOf(template.updatedAt as Date));
    if (changes.targetFormula !== undefined) await this.targets.compile(changes.targetFormula, clinicId);
    const metric = changes.metric === undefined ? undefined : await this.metrics.find(changes.metric, clinicId);
    const update = partialUpdate({
      table: 'public.goal_templates',
      where: { id: templateId },
      changes: { ...changes, metricDefinitionId: metric?.id },
      columns: changeable,
      returning: 'id',
    });
    if (!update) return template;
    await this.database.query(update.text, update.values);
    return this.get(clinicId, templateId);
  }

  /** Goals that were made from it stay. */
  async remove(clinicId: string | null, templateId: string): Promise<void> {
    await this.owned(clinicId, templateId);
    const [removed] = await this.database.query(deleteTemplate, [templateId]);
    if (!removed) throw new NotFound();
  }

  /** One that may be changed here. A clinic sees the system's, and leaves them as they are. */
  private async owned(clinicId: string | null, templateId: string): Promise<StoredTemplate> {
    const present = await this.get(clinicId, templateId);
    if (present.clinicId !== clinicId) throw new Forbidden("The system's templates are changed by admins.");
    await this.database.query(lockTemplate, [templateId]);
    return this.get(clinicId, templateId);
  }
}

const selectTemplates = `
  SELECT t.id, t.clinic_id, t.is_system_template, t.name, t.description, t.category, t.metric_definition_id,
         d.code AS metric, t.direction, t.target_formula, t.time_period, t.created_at, t.updated_at
    FROM public.goal_templates t JOIN public.metric_definitions d ON d.id = t.metric_definition_id
   WHERE (t.is_system_template OR t.clinic_id = $1::uuid)`;

const listTemplates = `${selectTemplates}
     AND ($2::text IS NULL OR t.category = $2)
     AND ($3::text IS NULL OR d.code = $3)
     AND ($4::text IS NULL OR (t.name, t.id) > ($4, $5::uuid))
   ORDER BY t.name, t.id LIMIT $6`;

const getTemplate = `${selectTemplates} AND t.id = $2`;

const lockTemplate = 'SELECT id FROM public.goal_templates WHERE id = $1 FOR UPDATE';

const insertTemplate = `
  INSERT INTO public.goal_templates (clinic_id, name, description, category, metric_definition_id, direction,
    target_formula, time_period, is_system_template, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $1::uuid IS NULL, app.user_id()) RETURNING id`;

const deleteTemplate = 'DELETE FROM public.goal_templates WHERE id = $1 RETURNING id';

const changeable = {
  name: 'name',
  description: 'description',
  category: 'category',
  metricDefinitionId: 'metric_definition_id',
  direction: 'direction',
  targetFormula: 'target_formula',
  timePeriod: 'time_period',
};
