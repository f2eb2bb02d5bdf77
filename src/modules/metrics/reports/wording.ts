import { type Difference, leastChange } from './comparison.js';
import type { DataType, Report, Total } from './reports.schemas.js';

/** How numbers and times of a report are written for people. The exact values are in its JSON. */
export class Wording {
  private readonly money: Intl.NumberFormat;
  private readonly compactMoney: Intl.NumberFormat;
  private readonly moment: Intl.DateTimeFormat;

  constructor(private readonly clinic: { currency: string; timeZone: string }) {
    const currency = { style: 'currency', currency: clinic.currency, currencyDisplay: 'narrowSymbol' } as const;
    this.money = new Intl.NumberFormat('en-GB', { ...currency, maximumFractionDigits: 0 });
    this.compactMoney = new Intl.NumberFormat('en-GB', { ...currency, notation: 'compact', maximumFractionDigits: 1 });
    this.moment = new Intl.DateTimeFormat('en-GB', {
      ...{ day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit' },
      timeZone: clinic.timeZone,
    });
  }

  /** A value, or a dash where there is none. */
  value(dataType: DataType, value: string | null): string {
    return value === null ? '–' : this.number(dataType, Number(value));
  }

  /** A change with its sign; percentages change by points. */
  change(dataType: DataType, change: string | null): string {
    if (change === null) return '–';
    const size = Math.abs(Number(change));
    const text = dataType === 'percentage' ? `${one.format(size)} pts` : this.number(dataType, size);
    return `${signOf(change)}${text}`;
  }

  /** A change with what it is in percent, where that says more. */
  wholeChange(dataType: DataType, { change, changePercent, verdict }: Difference): string {
    const hasPercent = dataType !== 'percentage' && changePercent !== null && verdict !== 'same';
    return this.change(dataType, change) + (hasPercent ? ` (${this.percent(changePercent)})` : '');
  }

  percent(change: string | null): string {
    return change === null ? '–' : `${signOf(change)}${one.format(Math.abs(Number(change)))}%`;
  }

  /** For the axis of a chart, where there is little room. */
  axis(dataType: DataType, value: number): string {
    if (dataType === 'currency') return this.compactMoney.format(value).replace('K', 'k');
    return dataType === 'percentage' ? `${whole.format(value)}%` : whole.format(value);
  }

  /** `21 November 2026, 10:15 (Europe/Berlin)`: a time of the clinic, not of whoever reads it. */
  generated(at: Date): string {
    return `${this.moment.format(at).replace(' at ', ', ')} (${this.clinic.timeZone})`;
  }

  private number(dataType: DataType, value: number): string {
    switch (dataType) {
      case 'currency':
        return this.money.format(value);
      case 'percentage':
        return `${one.format(value)}%`;
      case 'integer':
        return whole.format(value);
      case 'duration':
      case 'decimal':
        return oneOrNone.format(value);
    }
  }
}

const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat('en-GB', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const oneOrNone = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });

function signOf(change: string): string {
  const value = Number(change);
  if (Math.abs(value) < leastChange) return '±';
  return value > 0 ? '+' : '−';
}

const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });

/** `16 – 22 November 2026` */
export function writtenSpan({ from, to }: { from: string; to: string }): string {
  return from === to ? dayFormat.format(Date.parse(from)) : dayFormat.formatRange(Date.parse(from), Date.parse(to));
}

/** The totals that there is anything to tell of. */
export function shownTotals(report: Report): Total[] {
  return report.totals.filter(({ value, previousPeriod, lastYear }) =>
    [value, previousPeriod.value, lastYear.value].some((each) => each !== null),
  );
}

/** The sentence under the heading of a report. */
export function writtenState(report: Report): string {
  if (report.isEmpty) return 'No figures were recorded in this period.';
  const noun = report.kind === 'weekly' ? 'week' : 'month';
  return report.partial
    ? `The ${noun} is not over: figures so far, compared with the same days of the ${noun}s before.`
    : `Compared with the ${noun} before and with the same ${noun} of last year.`;
}
