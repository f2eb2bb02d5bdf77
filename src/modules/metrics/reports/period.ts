/** Weeks and months of reports. Days are `YYYY-MM-DD` and have no zone: whose day it is was settled before. */

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
  const from = kind === 'weekly' ? mondayOf(Number(year), Number(number)) : `${year}-${number}-01`;
  if (Number.isNaN(Date.parse(from))) return undefined;
  const period = periodOn(kind, from);
  return period.name === name ? period : undefined;
}

/** The period that holds a day. */
export function periodOn(kind: ReportKind, day: string): Period {
  return kind === 'weekly' ? weekOn(day) : monthOn(day);
}

/** So many periods later, or earlier. */
export function shifted(period: Period, by: number): Period {
  if (period.kind === 'weekly') return weekOn(addDays(period.from, 7 * by));
  const [year, month] = partsOf(period.from);
  return monthOn(dayOf(Date.UTC(year, month - 1 + by, 1)));
}

/** The week or month of the same number in the year before; a week 53 that it did not have is compared with its 52nd. */
export function yearBefore(period: Period): Period {
  const [year = '', number = ''] = period.name.split(/-W?/);
  const separator = period.kind === 'weekly' ? '-W' : '-';
  const before = Number(year) - 1;
  return periodNamed(period.kind, `${before}${separator}${number}`) ?? weekOn(mondayOf(before, 52));
}

export function addDays(day: string, days: number): string {
  return dayOf(Date.parse(day) + days * dayMs);
}

/** Each day from the first to the last, both included. */
export function daysBetween(from: string, to: string): string[] {
  const count = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => addDays(from, index));
}

function weekOn(day: string): Period {
  const from = addDays(day, -((weekdayOf(day) + 6) % 7));
  // A week belongs to the year of its Thursday.
  const [year] = partsOf(addDays(from, 3));
  const number = (Date.parse(from) - Date.parse(mondayOf(year, 1))) / dayMs / 7 + 1;
  return { kind: 'weekly', name: `${year}-W${String(number).padStart(2, '0')}`, from, to: addDays(from, 6) };
}

function monthOn(day: string): Period {
  const [year, month] = partsOf(day);
  return { kind: 'monthly', name: day.slice(0, 7), from: `${day.slice(0, 7)}-01`, to: dayOf(Date.UTC(year, month, 0)) };
}

/** The first week of a year is the one with January 4. */
function mondayOf(year: number, week: number): string {
  const fourth = `${String(year).padStart(4, '0')}-01-04`;
  return addDays(fourth, 7 * (week - 1) - ((weekdayOf(fourth) + 6) % 7));
}

function weekdayOf(day: string): number {
  return new Date(Date.parse(day)).getUTCDay();
}

function partsOf(day: string): [year: number, month: number] {
  return [Number(day.slice(0, 4)), Number(day.slice(5, 7))];
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
