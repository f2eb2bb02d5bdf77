/** Periods of business days: pure arithmetic of the calendar, in which time zones have no part. */

export const granularities = ['daily', 'weekly', 'monthly', 'quarterly', 'yearly'] as const;
export type Granularity = (typeof granularities)[number];

/** First and last day, as YYYY-MM-DD. */
export interface Period {
  start: string;
  end: string;
}

export type Comparison = 'previous_period' | 'previous_year';

const months: Partial<Record<Granularity, number>> = { monthly: 1, quarterly: 3, yearly: 12 };

/** The period in which a day lies. Weeks are those of ISO 8601: they begin on Monday. The same as `app.period_start`. */
export function periodOf(granularity: Granularity, day: string): Period {
  const start = startOf(granularity, day);
  return { start, end: addDays(startOfNext(granularity, start), -1) };
}

/** Every period from the one of the first day to the one of the last; at most `limit` + 1, so that the caller can refuse. */
export function periodsBetween(granularity: Granularity, from: string, to: string, limit: number): Period[] {
  const periods: Period[] = [];
  for (let period = periodOf(granularity, from); period.start <= to && periods.length <= limit; ) {
    periods.push(period);
    period = periodOf(granularity, startOfNext(granularity, period.start));
  }
  return periods;
}

/**
 * What the periods are compared with, one for one: as many before the first, or the same of the year before. The week
 * of a year before is the one 52 weeks earlier: it has the same days of the week.
 */
export function comparedPeriods(
  granularity: Granularity,
  periods: readonly Period[],
  comparison: Comparison,
): Period[] {
  const count = comparison === 'previous_period' ? periods.length : undefined;
  return periods.map(({ start }) => periodOf(granularity, shifted(granularity, start, count)));
}

export function addDays(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

/** The same day so many months later, or the last of that month where it has no such day. */
export function addMonths(day: string, count: number): string {
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number);
  const last = new Date(Date.UTC(year, month + count, 0));
  return new Date(Date.UTC(year, month - 1 + count, Math.min(date, last.getUTCDate()))).toISOString().slice(0, 10);
}

function shifted(granularity: Granularity, start: string, periods: number | undefined): string {
  const length = months[granularity];
  if (length !== undefined) return addMonths(start, -(periods === undefined ? 12 : periods * length));
  if (granularity === 'weekly') return addDays(start, -7 * (periods ?? 52));
  return periods === undefined ? addMonths(start, -12) : addDays(start, -periods);
}

function startOf(granularity: Granularity, day: string): string {
  if (granularity === 'daily') return day;
  if (granularity === 'weekly') return addDays(day, -((new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7));
  const [year, month = 1] = day.split('-').map(Number);
  const length = months[granularity] ?? 1;
  return `${year}-${String(month - ((month - 1) % length)).padStart(2, '0')}-01`;
}

function startOfNext(granularity: Granularity, start: string): string {
  const length = months[granularity];
  return length === undefined ? addDays(start, granularity === 'weekly' ? 7 : 1) : addMonths(start, length);
}
