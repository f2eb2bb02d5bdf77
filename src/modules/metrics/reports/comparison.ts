/** Differences of decimal strings: exact, since they are money. */

export interface Difference {
  value: string | null;
  change: string | null;
  changePercent: string | null;
  verdict: 'better' | 'worse' | 'same' | null;
}

/** Metrics of which less is better; of those in `neutral` neither. Of all others more is better. */
const lessIsBetter = new Set([
  ...['adjustments', 'write_offs', 'refunds', 'expenses'],
  ...['cancelled_appointments', 'no_shows', 'no_show_rate', 'cancellation_rate', 'lost_patients', 'voicemails'],
]);
const neutral = new Set(['average_call_duration', 'average_appointment_duration']);

/** How a value stands to an earlier one. What is missing, or a percentage of nothing, is null and no zero. */
export function compare(metric: string, value: string | null, earlier: string | null): Difference {
  if (value === null || earlier === null) return { value: earlier, change: null, changePercent: null, verdict: null };
  const [now, before, scale] = sameScale(value, earlier);
  const change = now - before;
  return {
    value: earlier,
    change: written(change, scale),
    changePercent: before === 0n ? null : written(roundedQuotient(change * 1_000n, magnitude(before)), 1),
    verdict: verdictOf(metric, Number(written(change, scale))),
  };
}

/** What would be written as 0.0 is neither good nor bad. */
export const leastChange = 0.05;

function verdictOf(metric: string, change: number): Difference['verdict'] {
  if (Math.abs(change) < leastChange) return 'same';
  if (neutral.has(metric)) return null;
  return change > 0 === lessIsBetter.has(metric) ? 'worse' : 'better';
}

function sameScale(one: string, other: string): [bigint, bigint, number] {
  const scale = Math.max(decimalsOf(one), decimalsOf(other));
  return [unscaled(one, scale), unscaled(other, scale), scale];
}

function decimalsOf(text: string): number {
  return text.split('.')[1]?.length ?? 0;
}

function unscaled(text: string, scale: number): bigint {
  const [whole = '0', decimals = ''] = text.split('.');
  return BigInt(whole + decimals.padEnd(scale, '0'));
}

function written(value: bigint, scale: number): string {
  const digits = String(magnitude(value)).padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}

/** Half away from zero. */
function roundedQuotient(dividend: bigint, divisor: bigint): bigint {
  const rounded = (magnitude(dividend) * 2n + divisor) / (divisor * 2n);
  return dividend < 0n ? -rounded : rounded;
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}
