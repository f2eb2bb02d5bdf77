import { z } from 'zod';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { periodNamed, reportKinds } from './period.js';

export const Week = z
  .string()
  .refine((name) => periodNamed('weekly', name) !== undefined, 'is no ISO week such as 2026-W47')
  .meta({ description: 'ISO 8601 week, which begins on Monday.', examples: ['2026-W47'] });

export const Month = z
  .string()
  .refine((name) => periodNamed('monthly', name) !== undefined, 'is no month such as 2026-10')
  .meta({ description: 'Calendar month.', examples: ['2026-10'] });

export const ReportFormat = z.enum(['json', 'html', 'pdf']);
export type ReportFormat = z.infer<typeof ReportFormat>;
export const ReportQuery = z.strictObject({ format: ReportFormat.default('json') });
export type ReportQuery = z.infer<typeof ReportQuery>;

const Day = z.iso.date();
const Decimal = z.string().nullable().meta({ description: 'Decimal; null where there is nothing to tell it from.' });
const DataType = z.enum(['currency', 'integer', 'percentage', 'duration', 'decimal']);
export type DataType = z.infer<typeof DataType>;

const Span = z.object({ period: z.string(), from: Day, to: Day }).meta({ id: 'ReportSpan' });

const Difference = z
  .object({
    value: Decimal.meta({ description: 'What it was then.' }),
    change: Decimal.meta({ description: 'In the unit of the metric; of percentages in points.' }),
    changePercent: Decimal.meta({ description: 'Null where it was nothing then.' }),
    verdict: z.enum(['better', 'worse', 'same']).nullable().meta({ description: 'Of no-shows, fewer are better.' }),
  })
  .meta({ id: 'ReportDifference' });

const Total = z
  .object({
    metric: z.string(),
    name: z.string(),
    group: z.string(),
    dataType: DataType,
    value: Decimal,
    previousPeriod: Difference,
    lastYear: Difference,
  })
  .meta({ id: 'ReportTotal' });
export type Total = z.output<typeof Total>;

const Goal = z
  .object({
    id: Uuid,
    metric: z.string(),
    name: z.string(),
    dataType: DataType,
    providerName: z.string().nullable(),
    direction: z.enum(['at_least', 'at_most']),
    standing: z.enum(['achieved', 'missed', 'on track', 'behind', 'no figures']).meta({
      description: 'When the report was made, which may be after its period.',
    }),
    target: z.string(),
    current: Decimal,
    progressPercent: z.string().nullable(),
    endsOn: Day,
  })
  .meta({ id: 'ReportGoal' });
export type ReportGoal = z.output<typeof Goal>;

const Value = z.object({ metric: z.string(), value: Decimal }).meta({ id: 'ReportValue' });
const ProviderLine = z
  .object({ providerId: Uuid, name: z.string(), values: z.array(Value) })
  .meta({ id: 'ReportProvider' });

const Chart = z
  .object({
    id: z.string(),
    title: z.string(),
    shape: z.enum(['bars', 'stack', 'lines']),
    dataType: DataType,
    labels: z.array(z.string()),
    series: z.array(z.object({ metric: z.string(), name: z.string(), values: z.array(Decimal) })),
  })
  .meta({ id: 'ReportChart' });
export type Chart = z.output<typeof Chart>;

const Column = z.object({ metric: z.string(), name: z.string(), dataType: DataType }).meta({ id: 'ReportColumn' });
export type Column = z.output<typeof Column>;

export const Report = z
  .object({
    kind: z.enum(reportKinds),
    period: z.string(),
    title: z.string(),
    from: Day,
    to: Day,
    partial: z
      .boolean()
      .meta({ description: 'The period is not over; it is compared with as many days of the others.' }),
    isEmpty: z.boolean().meta({ description: 'No metric has a value in the period.' }),
    clinic: z.object({
      id: Uuid,
      name: z.string(),
      location: z.string().nullable(),
      timeZone: z.string(),
      currency: z.string(),
    }),
    generatedAt: Timestamp,
    previousPeriod: Span,
    lastYear: Span,
    totals: z.array(Total),
    goals: z.array(Goal),
    providers: z.object({ columns: z.array(Column), rows: z.array(ProviderLine) }),
    charts: z.array(Chart),
  })
  .meta({ id: 'Report' });
export type Report = z.input<typeof Report> & {
  generatedAt: Date;
  charts: Chart[];
  goals: ReportGoal[];
  totals: Total[];
};
