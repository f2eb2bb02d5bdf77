import { z } from 'zod';
import { pageOf } from '../../../kernel/http/page.js';
import { Line, Uuid } from '../../../kernel/http/primitives.js';
import {
  Count,
  factChangeFields,
  factFields,
  factsQuery,
  Label,
  newFactFields,
  outcomeOf,
  Seconds,
  warnings,
} from './fact-fields.js';

const Total = Count.meta({ description: 'At least connected calls and voicemails together.' });
const StaffMember = Uuid.nullable().meta({ description: 'A member of this clinic.' });

export const CallMetric = z
  .object({
    ...factFields,
    callType: z.string().nullable(),
    totalCalls: Total,
    connectedCalls: Count,
    voicemails: Count,
    appointmentsScheduled: Count,
    conversionRate: z
      .string()
      .nullable()
      .meta({ description: 'Appointments scheduled in percent of the connected calls; computed.' }),
    averageCallDuration: Seconds.nullable(),
    staffMemberId: StaffMember,
  })
  .meta({ id: 'CallMetric' });
export type CallMetric = z.input<typeof CallMetric>;

export const CallMetrics = pageOf(CallMetric, 'CallMetrics');
export const CallMetricsQuery = factsQuery.extend({ staffMember: Uuid.optional(), type: Line.optional() });
export type CallMetricsQuery = z.infer<typeof CallMetricsQuery>;

export const NewCallMetric = z
  .strictObject({
    ...newFactFields,
    callType: Label.default(null),
    totalCalls: Total,
    connectedCalls: Count.default(0),
    voicemails: Count.default(0),
    appointmentsScheduled: Count.default(0),
    averageCallDuration: Seconds.nullable().default(null),
    staffMemberId: StaffMember.default(null),
  })
  .meta({ id: 'NewCallMetric' });
export type NewCallMetric = z.infer<typeof NewCallMetric>;

export const CallMetricChanges = z
  .strictObject({
    ...factChangeFields,
    callType: Label,
    totalCalls: Total,
    connectedCalls: Count,
    voicemails: Count,
    appointmentsScheduled: Count,
    averageCallDuration: Seconds.nullable(),
    staffMemberId: StaffMember,
  })
  .partial()
  .meta({ id: 'CallMetricChanges' });
export type CallMetricChanges = z.infer<typeof CallMetricChanges>;

export const WrittenCallMetric = CallMetric.extend({ warnings }).meta({ id: 'WrittenCallMetric' });
export const CallMetricBatch = z.strictObject({ items: z.array(NewCallMetric).min(1) }).meta({ id: 'CallMetricBatch' });
export type CallMetricBatch = z.infer<typeof CallMetricBatch>;
export const WrittenCallMetrics = z.object({ data: z.array(CallMetric), warnings }).meta({ id: 'WrittenCallMetrics' });
export const CallMetricOutcomes = outcomeOf(CallMetric, 'CallMetricOutcomes');
