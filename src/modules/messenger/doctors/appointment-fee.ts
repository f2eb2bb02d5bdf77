/** Amounts as people write them, kept in the smallest unit of their currency: cents, yen, fils. */

export interface Fee {
  /** `80.00` */
  amount: string;
  currency: string;
}

/** How many digits the currency has behind the point: 2 for EUR, 0 for JPY, 3 for KWD. */
function digitsOf(currency: string): number {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
}

/** Undefined for an amount with more digits than its currency has: nothing is rounded in silence. */
export function inMinorUnits({ amount, currency }: Fee): string | undefined {
  const [whole = '', fraction = ''] = amount.split('.');
  const digits = digitsOf(currency);
  if (fraction.length > digits) return undefined;
  return BigInt(whole + fraction.padEnd(digits, '0')).toString();
}

export function feeOf(minor: string | null, currency: string | null): Fee | null {
  if (minor === null || currency === null) return null;
  const digits = digitsOf(currency);
  const padded = minor.padStart(digits + 1, '0');
  const point = padded.length - digits;
  return { amount: digits === 0 ? padded : `${padded.slice(0, point)}.${padded.slice(point)}`, currency };
}
