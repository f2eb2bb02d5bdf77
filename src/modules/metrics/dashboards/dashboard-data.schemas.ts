import { z } from 'zod';
import { Uuid } from '../../../kernel/http/primitives.js';

const Day = z.iso.date();

const Point = z
  .object({
    periodStart: Day,
    periodEnd: Day,
    value: z.string().nullable(),
    partial: z.boolean(),
  })
  .meta({ id: 'WidgetPoint' });

const Series = z
  .object({
    metric: z.string(),
    name: z.string(),
    dataType: z.string(),
    total: z.string().nullable().meta({ description: 'Over the whole range: of a rate the rate of the sums.' }),
    points: z.array(Point),
  })
  .meta({ id: 'WidgetSeries' });

const Shown = z.object({ from: Day, to: Day, series: z.array(Series) }).meta({ id: 'WidgetFigures' });
export type Shown = z.input<typeof Shown>;

export const WidgetData = z
  .object({
    widgetId: Uuid,
    present: Shown.nullable(),
    compared: Shown.nullable(),
    problem: z.string().nullable().meta({
      description: 'Why there is nothing to show: `unknown-metric` when one of its metrics was deleted.',
    }),
  })
  .meta({ id: 'WidgetData' });
export type WidgetData = z.input<typeof WidgetData>;

export const DashboardData = z.object({ today: Day, data: z.array(WidgetData) }).meta({ id: 'DashboardData' });
