import { z } from 'zod';
import { Line, Timestamp, Uuid } from '../../../kernel/http/primitives.js';

const Kind = z.enum(['number', 'line', 'bar', 'table', 'goal']);

const ranges = [
  'last_7_days',
  'last_30_days',
  'last_12_weeks',
  'last_12_months',
  'this_week',
  'this_month',
  'this_year',
] as const;

const MetricsConfig = z
  .strictObject({
    metrics: z.array(z.string().min(1).max(80)).min(1).max(6).meta({ description: 'Codes of metrics.' }),
    granularity: z.enum(['daily', 'weekly', 'monthly', 'quarterly', 'yearly']),
    range: z.enum(ranges).meta({ description: 'Up to the present day of the clinic.' }),
    providerId: Uuid.nullable().optional().meta({ description: 'Null for the whole clinic.' }),
    comparison: z.enum(['previous_period', 'previous_year']).nullable().optional(),
  })
  .refine(({ metrics }) => new Set(metrics).size === metrics.length, { path: ['metrics'], message: 'names one twice' })
  .meta({ id: 'MetricsConfig' });
export type MetricsConfig = z.infer<typeof MetricsConfig>;

const GoalConfig = z.strictObject({ goalId: Uuid }).meta({ id: 'GoalConfig' });

const Config = z.union([MetricsConfig, GoalConfig]);
export type WidgetConfig = z.infer<typeof Config>;

export const Widget = z
  .object({
    id: Uuid,
    dashboardId: Uuid,
    kind: Kind,
    title: z.string(),
    config: Config,
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Widget' });
export type Widget = z.input<typeof Widget>;

export const Widgets = z.object({ data: z.array(Widget) }).meta({ id: 'Widgets' });
export type Widgets = z.input<typeof Widgets>;

export const NewWidget = z.strictObject({ kind: Kind, title: Line, config: Config }).meta({ id: 'NewWidget' });
export type NewWidget = z.infer<typeof NewWidget>;

export const WidgetChanges = NewWidget.partial().meta({ id: 'WidgetChanges' });
export type WidgetChanges = z.infer<typeof WidgetChanges>;
