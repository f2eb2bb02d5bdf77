import { z } from 'zod';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { BusinessDay } from '../business-day.js';
import { granularities } from './periods.js';

const Granularity = z.enum(granularities);
const dataTypes = ['currency', 'integer', 'percentage', 'duration', 'decimal'] as const;
const Value = z.string().nullable();

/** `a,b`: each code once, in the order in which the answer has them. */
const MetricCodes = z
  .string()
  .transform((text) => [...new Set(text.split(',').map((code) => code.trim()))])
  .pipe(
    z
      .array(z.string().regex(/^[a-z][a-z0-9_]{0,59}$/, 'is no code of a metric'))
      .min(1)
      .max(20),
  )
  .meta({ description: 'Codes separated by commas, up to 20.', examples: ['production,collection_rate'] });

/** Wide enough for whatever is kept or planned, and far from years of fewer or more than four digits. */
const AskedDay = BusinessDay.refine(
  (day) => day >= '1900-01-01' && day <= '2199-12-31',
  'must be between 1900 and 2199',
);

/** A range whose end does not come before its beginning. */
const isForward = ({ from, to }: { from: string; to: string }): boolean => from <= to;
const backwards = { path: ['to'], message: 'comes before from' };

export const AggregationsQuery = z
  .strictObject({
    metrics: MetricCodes,
    granularity: Granularity.default('monthly'),
    from: AskedDay,
    to: AskedDay,
    provider: Uuid.optional().meta({ description: 'One provider; without it the whole clinic.' }),
    compare: z.enum(['previous_period', 'previous_year']).optional(),
  })
  .refine(isForward, backwards);
export type AggregationsQuery = z.infer<typeof AggregationsQuery>;

/** A day on its way out: it comes from the calendar, and is not checked a thousand times. */
const Day = z.string().meta({ format: 'date' });

const Point = z.object({
  periodStart: Day,
  periodEnd: Day,
  partial: z.boolean().meta({ description: 'The period has not ended at the clinic.' }),
  value: Value.meta({ description: 'Decimal with the places of the data type; null where nothing is known.' }),
  count: z.int().nullable().meta({ description: 'Facts that went in; null for formulas.' }),
  minimum: Value,
  maximum: Value,
  average: Value.meta({ description: 'Of the single facts.' }),
  standardDeviation: Value,
});

const ComparedPoint = Point.extend({
  compared: z
    .object({
      periodStart: Day,
      periodEnd: Day,
      value: Value,
      changePercent: Value.meta({ description: 'Null where either is unknown, or the earlier is zero.' }),
    })
    .nullable()
    .meta({ description: 'The period that it is compared with; null when no comparison was asked for.' }),
});

export const Aggregations = z
  .object({
    granularity: Granularity,
    currency: z.string(),
    today: BusinessDay.meta({ description: 'The business day at the clinic now: periods that reach it are partial.' }),
    updatedAt: Timestamp.meta({ description: 'When roll-ups or definitions last changed.' }),
    metrics: z.array(
      z.object({ metric: z.string(), name: z.string(), dataType: z.enum(dataTypes), points: z.array(ComparedPoint) }),
    ),
  })
  .meta({ id: 'Aggregations' });
export type Aggregations = z.input<typeof Aggregations>;

const Total = z.object({ metric: z.string(), name: z.string(), dataType: z.enum(dataTypes), value: Value });

export const OverviewQuery = z
  .strictObject({ metrics: MetricCodes.optional(), from: AskedDay, to: AskedDay })
  .refine(isForward, backwards);
export type OverviewQuery = z.infer<typeof OverviewQuery>;

export const Overview = z
  .object({
    clinics: z.array(z.object({ clinicId: Uuid, name: z.string(), currency: z.string(), totals: z.array(Total) })),
  })
  .meta({ id: 'MetricsOverview' });
export type Overview = z.input<typeof Overview>;

export const PerformanceQuery = z
  .strictObject({ from: AskedDay, to: AskedDay, granularity: Granularity.default('monthly') })
  .refine(isForward, backwards);
export type PerformanceQuery = z.infer<typeof PerformanceQuery>;

export const Performance = z
  .object({
    providerId: Uuid,
    name: z.string(),
    totals: z.array(
      Total.extend({
        clinicValue: Value.meta({ description: 'The same of the whole clinic.' }),
        sharePercent: Value.meta({ description: "The provider's part of it; null for rates." }),
      }),
    ),
    series: z.array(z.object({ metric: z.string(), points: z.array(Point) })),
  })
  .meta({ id: 'ProviderPerformance' });
export type Performance = z.input<typeof Performance>;
