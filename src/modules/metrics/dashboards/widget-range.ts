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

/** As many days right before, or the same days of the year before (of February 29 the 28th). */
export function comparedDays({ from, to }: DayRange, comparison: 'previous_period' | 'previous_year'): DayRange {
  if (comparison === 'previous_year') return { from: yearEarlier(from), to: yearEarlier(to) };
  const days = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
  return { from: addDays(from, -days), to: addDays(from, -1) };
}

const starts: Record<MetricsConfig['range'], (today: string) => string> = {
  last_7_days: (today) => addDays(today, -6),
  last_30_days: (today) => addDays(today, -29),
  last_12_weeks: (today) => addDays(mondayOf(today), -77),
  last_12_months: (today) => firstOfMonth(today, -11),
  this_week: mondayOf,
  this_month: (today) => firstOfMonth(today, 0),
  this_year: (today) => `${today.slice(0, 4)}-01-01`,
};

function addDays(day: string, days: number): string {
  return dayOf(Date.parse(day) + days * dayMs);
}

function mondayOf(day: string): string {
  return addDays(day, -((new Date(day).getUTCDay() + 6) % 7));
}

function firstOfMonth(day: string, months: number): string {
  return dayOf(Date.UTC(Number(day.slice(0, 4)), Number(day.slice(5, 7)) - 1 + months, 1));
}

function yearEarlier(day: string): string {
  const earlier = `${Number(day.slice(0, 4)) - 1}${day.slice(4)}`;
  return earlier.endsWith('02-29') ? earlier.replace('02-29', '02-28') : earlier;
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
