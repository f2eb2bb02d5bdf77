import { daysBetween, type Period, shifted, yearBefore } from './period.js';

export interface Span {
  period: string;
  from: string;
  to: string;
}

export interface Spans {
  present: Span;
  previous: Span;
  lastYear: Span;
  isPartial: boolean;
}

/**
 * What is compared with what. A period that is not over is compared with as many days of the others: three days against
 * seven would always look like a loss.
 */
export function spansOf(period: Period, today: string): Spans {
  const isPartial = today <= period.to;
  const days = daysBetween(period.from, isPartial ? today : period.to).length;
  const previous = shifted(period, -1);
  const lastYear = yearBefore(period);
  return {
    present: { period: period.name, from: period.from, to: period.to },
    previous: isPartial ? beginning(previous, days) : whole(previous),
    lastYear: isPartial ? beginning(lastYear, days) : whole(lastYear),
    isPartial,
  };
}

const whole = ({ name, from, to }: Period): Span => ({ period: name, from, to });

/** The first days of a period, and never one of the next. */
function beginning(period: Period, days: number): Span {
  const all = daysBetween(period.from, period.to);
  return { ...whole(period), to: all[days - 1] ?? period.to };
}
