import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Line, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { formulaLimits, isFormulaName } from './formula.js';

const DataType = z.enum(['currency', 'integer', 'percentage', 'duration', 'decimal']);
const Code = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,59}$/, 'must be small letters, digits and _, with a letter first, up to 60')
  .refine(isFormulaName, 'is a word that formulas cannot name')
  .meta({ description: 'What formulas, routes and imports call it. It never changes.', examples: ['hygiene_share'] });
const Formula = z
  .string()
  .trim()
  .min(1)
  .max(formulaLimits.characters)
  .meta({
    description: 'Over codes of metrics: numbers, `+ - * /`, negation and parentheses.',
    examples: ['collections / net_production * 100'],
  });
const Description = z.string().trim().min(1).max(2_000);

export const MetricDefinition = z
  .object({
    id: Uuid,
    clinicId: Uuid.nullable().meta({ description: 'Null for what the system brings.' }),
    code: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    dataType: DataType,
    category: z.string(),
    isComposite: z
      .boolean()
      .meta({ description: 'Whether it is a formula over others; else it is taken from the facts.' }),
    calculationFormula: z.string().nullable(),
    behaviour: z
      .enum(['sum', 'mean', 'last'])
      .meta({ description: 'How facts become a period: their sum, their weighted mean, or the last known.' }),
    isSystem: z.boolean(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'MetricDefinition' });
export type MetricDefinition = z.input<typeof MetricDefinition>;

export const MetricDefinitions = pageOf(MetricDefinition, 'MetricDefinitions');
export type MetricDefinitions = z.input<typeof MetricDefinitions>;
export const MetricDefinitionsQuery = pageQuery.extend({ category: Line.optional() });
export type MetricDefinitionsQuery = z.infer<typeof MetricDefinitionsQuery>;

export const NewMetricDefinition = z
  .strictObject({
    code: Code,
    name: Line,
    description: Description.nullable().default(null),
    dataType: DataType,
    category: Line.default('own'),
    calculationFormula: Formula,
  })
  .meta({ id: 'NewMetricDefinition' });
export type NewMetricDefinition = z.infer<typeof NewMetricDefinition>;

export const MetricDefinitionChanges = z
  .strictObject({
    name: Line,
    description: Description.nullable(),
    dataType: DataType,
    category: Line,
    calculationFormula: Formula,
  })
  .partial()
  .meta({ id: 'MetricDefinitionChanges' });
export type MetricDefinitionChanges = z.infer<typeof MetricDefinitionChanges>;
