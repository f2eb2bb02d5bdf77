import { addDays, addMonths, periodOf } from '../aggregations/periods.js';
import type { MetricsConfig } from './widgets.schemas.js';

export interface DayRange {
  from: string;
  to: string;
}

const dayMs = 86_400_000;

/** The days that a widget looks at, up to the clinic's present one. */
export function daysOf(range: MetricsConfig['range'], today: string): DayRange {
  return { from: starts[range](today), to: today };
}

/** As many days right before, or the same days of the year before. */
export function comparedDays({ from, to }: DayRange, comparison: 'previous_period' | 'previous_year'): DayRange {
  if (comparison === 'previous_year') return { from: addMonths(from, -12), to: addMonths(to, -12) };
  const days = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
  return { from: addDays(from, -days), to: addDays(from, -1) };
}

const starts: Record<MetricsConfig['range'], (today: string) => string> = {
  last_7_days: (today) => addDays(today, -6),
  last_30_days: (today) => addDays(today, -29),
  last_12_weeks: (today) => addDays(periodOf('weekly', today).start, -77),
  last_12_months: (today) => addMonths(periodOf('monthly', today).start, -11),
  this_week: (today) => periodOf('weekly', today).start,
  this_month: (today) => periodOf('monthly', today).start,
  this_year: (today) => periodOf('yearly', today).start,
};
