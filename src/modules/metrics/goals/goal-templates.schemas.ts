import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Line, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { Direction, MetricCode, TimePeriod } from './goals.schemas.js';

const TemplatePeriod = TimePeriod.exclude(['custom']);

export const GoalTemplate = z
  .object({
    id: Uuid,
    clinicId: Uuid.nullable().meta({ description: "Null: the system's." }),
    isSystemTemplate: z.boolean(),
    name: z.string(),
    description: z.string().nullable(),
    category: z.string().nullable(),
    metric: z.string(),
    direction: Direction,
    targetFormula: z.string(),
    timePeriod: TemplatePeriod,
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'GoalTemplate' });
export type GoalTemplate = z.input<typeof GoalTemplate>;

export const GoalTemplates = pageOf(GoalTemplate, 'GoalTemplates');
export type GoalTemplates = z.input<typeof GoalTemplates>;
export const GoalTemplatesQuery = pageQuery.extend({ category: Line.optional(), metric: MetricCode.optional() });
export type GoalTemplatesQuery = z.infer<typeof GoalTemplatesQuery>;

const fields = {
  name: Line,
  description: z.string().trim().min(1).max(2_000).nullable(),
  category: Line.nullable(),
  metric: MetricCode,
  direction: Direction,
  targetFormula: z
    .string()
    .trim()
    .min(1)
    .max(500)
    .meta({
      description:
        'Over `last_value` and `last_year_value` (this metric over the period before, and over the same a year ago), ' +
        'codes of metrics over the period before, and numbers.',
      examples: ['last_value * 1.05'],
    }),
  timePeriod: TemplatePeriod,
};

export const NewGoalTemplate = z
  .strictObject({
    ...fields,
    description: fields.description.default(null),
    category: fields.category.default(null),
    direction: fields.direction.default('at_least'),
  })
  .meta({ id: 'NewGoalTemplate' });
export type NewGoalTemplate = z.infer<typeof NewGoalTemplate>;

export const GoalTemplateChanges = z.strictObject(fields).partial().meta({ id: 'GoalTemplateChanges' });
export type GoalTemplateChanges = z.infer<typeof GoalTemplateChanges>;
