import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Line, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { BusinessDay } from '../business-day.js';
import { goalStatuses } from './goal-states.js';

export const Direction = z.enum(['at_least', 'at_most']);
export const Status = z.enum(goalStatuses);
export const TimePeriod = z.enum(['weekly', 'monthly', 'quarterly', 'yearly', 'custom']);
export const MetricCode = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,59}$/, 'is no code of a metric')
  .meta({ description: 'A metric of the system or of the clinic.', examples: ['production'] });
const Target = z
  .string()
  .regex(/^\d{1,14}(\.\d{1,2})?$/, 'is no decimal number with up to two places')
  .meta({ description: 'Decimal, in the unit of the metric.', examples: ['50000.00', '95'] });
const Value = z.string().nullable();

export const Goal = z
  .object({
    id: Uuid,
    clinicId: Uuid,
    name: z.string(),
    metric: z.string(),
    metricName: z.string(),
    dataType: z.string(),
    accumulates: z.boolean().meta({
      description: 'Days add up, as in money or counts. Rates and levels do not: their value is compared as it is.',
    }),
    providerId: Uuid.nullable().meta({ description: 'Null: the whole clinic.' }),
    providerName: z.string().nullable(),
    templateId: Uuid.nullable(),
    timePeriod: TimePeriod,
    startDate: BusinessDay,
    endDate: BusinessDay,
    direction: Direction,
    targetValue: z.string(),
    status: Status,
    currentValue: Value.meta({ description: 'From the start to measuredOn; null without any fact.' }),
    progress: Value.meta({
      description: 'The current value in percent of the target; of a limit, how much is used up.',
    }),
    remaining: z
      .string()
      .meta({ description: 'To the target; of a limit what is left, negative when it is exceeded.' }),
    measuredOn: BusinessDay.nullable().meta({ description: 'The last day that is counted; null before the start.' }),
    days: z.int().meta({ description: 'Of the whole period.' }),
    elapsedDays: z.int().nullable().meta({ description: 'From the start to measuredOn, both counted.' }),
    expected: Value.meta({ description: 'The pace: what the value should be by the end of measuredOn.' }),
    forecast: Value.meta({ description: 'At the end, if it goes on as from the start to measuredOn.' }),
    onTrack: z.boolean().nullable().meta({ description: 'Whether the forecast reaches the target; null if unknown.' }),
    closedAt: Timestamp.nullable(),
    closingNote: z.string().nullable().meta({ description: '`no-data`: missed because nothing was entered.' }),
    createdBy: Uuid.nullable(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Goal' });
export type Goal = z.input<typeof Goal>;

export const Goals = pageOf(Goal, 'Goals');
export type Goals = z.input<typeof Goals>;
export const GoalsQuery = pageQuery.extend({
  status: Status.optional(),
  provider: Uuid.optional(),
  metric: MetricCode.optional(),
  timePeriod: TimePeriod.optional(),
  from: BusinessDay.optional().meta({ description: 'Goals that end on this day or later.' }),
  to: BusinessDay.optional().meta({ description: 'Goals that start on this day or earlier.' }),
});
export type GoalsQuery = z.infer<typeof GoalsQuery>;

export const NewGoal = z
  .strictObject({
    metric: MetricCode,
    providerId: Uuid.nullable().default(null),
    name: Line.optional().meta({ description: "The metric's name unless given." }),
    timePeriod: TimePeriod,
    startDate: BusinessDay,
    endDate: BusinessDay.optional().meta({
      description: 'For custom periods; of the others it follows from the start.',
    }),
    targetValue: Target,
    direction: Direction.default('at_least'),
    status: z.enum(['draft', 'active']).default('active'),
  })
  .meta({ id: 'NewGoal' });
export type NewGoal = z.infer<typeof NewGoal>;

export const GoalChanges = z
  .strictObject({
    name: Line,
    startDate: BusinessDay,
    endDate: BusinessDay,
    targetValue: Target,
    direction: Direction,
    status: Status,
  })
  .partial()
  .meta({ id: 'GoalChanges' });
export type GoalChanges = z.infer<typeof GoalChanges>;

export const GoalsFromTemplate = z
  .strictObject({
    templateId: Uuid,
    startDate: BusinessDay,
    forProviders: z
      .union([z.enum(['all']), z.array(Uuid).min(1).max(200)])
      .nullable()
      .meta({ description: '`all` active providers, some of the clinic, or null for the clinic as a whole.' }),
    status: z.enum(['draft', 'active']).default('active'),
  })
  .meta({ id: 'GoalsFromTemplate' });
export type GoalsFromTemplate = z.infer<typeof GoalsFromTemplate>;

export const CreatedGoals = z.object({ data: z.array(Goal) }).meta({ id: 'CreatedGoals' });
export type CreatedGoals = z.input<typeof CreatedGoals>;

export const GoalProgressDay = z
  .object({ date: BusinessDay, value: Value, targetValue: z.string(), progress: Value })
  .meta({ id: 'GoalProgressDay' });
export type GoalProgressDay = z.input<typeof GoalProgressDay>;
export const GoalProgress = pageOf(GoalProgressDay, 'GoalProgress');
export type GoalProgress = z.input<typeof GoalProgress>;
export const GoalProgressQuery = pageQuery;
export type GoalProgressQuery = z.infer<typeof GoalProgressQuery>;
