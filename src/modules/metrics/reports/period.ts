import { addDays, addMonths, periodOf } from '../aggregations/periods.js';

/** Weeks and months of reports, by their names. */

export const reportKinds = ['weekly', 'monthly'] as const;
export type ReportKind = (typeof reportKinds)[number];

export interface Period {
  kind: ReportKind;
  /** `2026-W47` (ISO 8601, weeks begin on Monday) or `2026-10`. */
  name: string;
  from: string;
  to: string;
}

const dayMs = 86_400_000;

/** The period of that name; undefined for what names none, such as the week 53 of a year of 52. */
export function periodNamed(kind: ReportKind, name: string): Period | undefined {
  const [, year, number] = (kind === 'weekly' ? /^(\d{4})-W(\d{2})$/ : /^(\d{4})-(\d{2})$/).exec(name) ?? [];
  if (year === undefined || number === undefined || Number(year) < 1990) return undefined;
  const from = kind === 'weekly' ? mondayOf(year, Number(number)) : `${year}-${number}-01`;
  if (Number.isNaN(Date.parse(from))) return undefined;
  const period = periodOn(kind, from);
  return period.name === name ? period : undefined;
}

/** The period that holds a day. */
export function periodOn(kind: ReportKind, day: string): Period {
  const { start, end } = periodOf(kind, day);
  return { kind, name: kind === 'weekly' ? weekName(start) : start.slice(0, 7), from: start, to: end };
}

/** So many periods later, or earlier. */
export function shifted({ kind, from }: Period, by: number): Period {
  return periodOn(kind, kind === 'weekly' ? addDays(from, 7 * by) : addMonths(from, by));
}

/** The same month of the year before; of a week the one 52 weeks earlier, as wherever weeks are compared with last year's. */
export function yearBefore(period: Period): Period {
  return shifted(period, period.kind === 'weekly' ? -52 : -12);
}

/** Each day from the first to the last, both included. */
export function daysBetween(from: string, to: string): string[] {
  const count = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => addDays(from, index));
}

/** A week belongs to the year of its Thursday. */
function weekName(monday: string): string {
  const year = addDays(monday, 3).slice(0, 4);
  const number = (Date.parse(monday) - Date.parse(mondayOf(year, 1))) / dayMs / 7 + 1;
  return `${year}-W${String(number).padStart(2, '0')}`;
}

/** The first week of a year is the one with January 4. */
function mondayOf(year: string, week: number): string {
  return addDays(periodOf('weekly', `${year}-01-04`).start, 7 * (week - 1));
}
