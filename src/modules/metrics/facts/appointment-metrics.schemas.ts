import { z } from 'zod';
import { pageOf } from '../../../kernel/http/page.js';
import { Line, Uuid } from '../../../kernel/http/primitives.js';
import {
  Count,
  factChangeFields,
  factFields,
  factsQuery,
  Label,
  Minutes,
  Money,
  newFactFields,
  outcomeOf,
  Rate,
  warnings,
} from './fact-fields.js';

const Scheduled = Count.meta({ description: 'At least completed, cancelled and no-show together.' });

export const AppointmentMetric = z
  .object({
    ...factFields,
    providerId: Uuid.nullable(),
    appointmentType: z.string().nullable(),
    scheduledCount: Scheduled,
    completedCount: Count,
    cancelledCount: Count,
    noShowCount: Count,
    averageDuration: Minutes.nullable(),
    productionAmount: Money.nullable(),
    utilizationRate: Rate.nullable(),
  })
  .meta({ id: 'AppointmentMetric' });
export type AppointmentMetric = z.input<typeof AppointmentMetric>;

export const AppointmentMetrics = pageOf(AppointmentMetric, 'AppointmentMetrics');
export const AppointmentMetricsQuery = factsQuery.extend({ provider: Uuid.optional(), type: Line.optional() });
export type AppointmentMetricsQuery = z.infer<typeof AppointmentMetricsQuery>;

export const NewAppointmentMetric = z
  .strictObject({
    ...newFactFields,
    providerId: Uuid.nullable().default(null),
    appointmentType: Label.default(null),
    scheduledCount: Scheduled,
    completedCount: Count.default(0),
    cancelledCount: Count.default(0),
    noShowCount: Count.default(0),
    averageDuration: Minutes.nullable().default(null),
    productionAmount: Money.nullable().default(null),
    utilizationRate: Rate.nullable().default(null),
  })
  .meta({ id: 'NewAppointmentMetric' });
export type NewAppointmentMetric = z.infer<typeof NewAppointmentMetric>;

export const AppointmentMetricChanges = z
  .strictObject({
    ...factChangeFields,
    providerId: Uuid.nullable(),
    appointmentType: Label,
    scheduledCount: Scheduled,
    completedCount: Count,
    cancelledCount: Count,
    noShowCount: Count,
    averageDuration: Minutes.nullable(),
    productionAmount: Money.nullable(),
    utilizationRate: Rate.nullable(),
  })
  .partial()
  .meta({ id: 'AppointmentMetricChanges' });
export type AppointmentMetricChanges = z.infer<typeof AppointmentMetricChanges>;

export const WrittenAppointmentMetric = AppointmentMetric.extend({ warnings }).meta({ id: 'WrittenAppointmentMetric' });
export const AppointmentMetricBatch = z
  .strictObject({ items: z.array(NewAppointmentMetric).min(1) })
  .meta({ id: 'AppointmentMetricBatch' });
export type AppointmentMetricBatch = z.infer<typeof AppointmentMetricBatch>;
export const WrittenAppointmentMetrics = z
  .object({ data: z.array(AppointmentMetric), warnings })
  .meta({ id: 'WrittenAppointmentMetrics' });
export const AppointmentMetricOutcomes = outcomeOf(AppointmentMetric, 'AppointmentMetricOutcomes');
