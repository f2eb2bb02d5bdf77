import { z } from 'zod';
import { pageOf } from '../../../kernel/http/page.js';
import { Line, Uuid } from '../../../kernel/http/primitives.js';
import {
  factChangeFields,
  factFields,
  factsQuery,
  Label,
  Money,
  Notes,
  newFactFields,
  outcomeOf,
  warnings,
} from './fact-fields.js';

const MetricType = z.enum(['production', 'collection', 'adjustment', 'write_off', 'refund', 'expense']);
const Amount = Money.meta({ description: "Any sign, in the clinic's currency." });
const ProcedureCode = Line.max(50).nullable();

export const FinancialMetric = z
  .object({
    ...factFields,
    metricType: MetricType,
    category: z.string().nullable(),
    amount: Amount,
    providerId: Uuid.nullable(),
    insuranceCarrier: z.string().nullable(),
    paymentMethod: z.string().nullable(),
    procedureCode: z.string().nullable(),
    notes: z.string().nullable(),
  })
  .meta({ id: 'FinancialMetric' });
export type FinancialMetric = z.input<typeof FinancialMetric>;

export const FinancialMetrics = pageOf(FinancialMetric, 'FinancialMetrics');
export const FinancialMetricsQuery = factsQuery.extend({
  provider: Uuid.optional(),
  type: MetricType.optional(),
  category: Line.optional(),
});
export type FinancialMetricsQuery = z.infer<typeof FinancialMetricsQuery>;

export const NewFinancialMetric = z
  .strictObject({
    ...newFactFields,
    metricType: MetricType,
    category: Label.default(null),
    amount: Amount,
    providerId: Uuid.nullable().default(null),
    insuranceCarrier: Label.default(null),
    paymentMethod: Label.default(null),
    procedureCode: ProcedureCode.default(null),
    notes: Notes.nullable().default(null),
  })
  .meta({ id: 'NewFinancialMetric' });
export type NewFinancialMetric = z.infer<typeof NewFinancialMetric>;

export const FinancialMetricChanges = z
  .strictObject({
    ...factChangeFields,
    metricType: MetricType,
    category: Label,
    amount: Amount,
    providerId: Uuid.nullable(),
    insuranceCarrier: Label,
    paymentMethod: Label,
    procedureCode: ProcedureCode,
    notes: Notes.nullable(),
  })
  .partial()
  .meta({ id: 'FinancialMetricChanges' });
export type FinancialMetricChanges = z.infer<typeof FinancialMetricChanges>;

export const WrittenFinancialMetric = FinancialMetric.extend({ warnings }).meta({ id: 'WrittenFinancialMetric' });
export const FinancialMetricBatch = z
  .strictObject({ items: z.array(NewFinancialMetric).min(1) })
  .meta({ id: 'FinancialMetricBatch' });
export type FinancialMetricBatch = z.infer<typeof FinancialMetricBatch>;
export const WrittenFinancialMetrics = z
  .object({ data: z.array(FinancialMetric), warnings })
  .meta({ id: 'WrittenFinancialMetrics' });
export const FinancialMetricOutcomes = outcomeOf(FinancialMetric, 'FinancialMetricOutcomes');
