type DecimalSeparator = '.' | ',';

/** Spaces, narrow and not breaking ones included, and the apostrophe of Swiss files stand between thousands. */
const spacing = /[\s\u00a0\u202f'’]/g;
const currencySigns = /^(?:[$€£¥₣]|EUR|USD|GBP|CHF)|(?:[$€£¥₣]|EUR|USD|GBP|CHF)$/i;

const shapes: Record<DecimalSeparator, RegExp> = {
  '.': /^(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?$/,
  ',': /^(?:\d+|\d{1,3}(?:\.\d{3})+)?(?:,\d*)?$/,
};

/**
 * A number as people write it, as canonical text: `1.234,56`, `$1,234.56`, `(120.00)`, `-5`, `5-`, `12 %`.
 *
 * Groups of thousands must be whole: `1,23` is no number where the point separates the decimals, since reading it as
 * 123 would be worse than refusing it.
 */
export function readNumber(text: string, separator: DecimalSeparator): string | undefined {
  let rest = text.replace(spacing, '');
  let sign = '';
  const bracketed = /^\((.*)\)$/.exec(rest);
  if (bracketed?.[1] !== undefined) [sign, rest] = ['-', bracketed[1]];
  const signed = /^([-+−])(.*)$|^(.*)([-−])$/.exec(rest.replace(currencySigns, ''));
  if (signed) {
    if (sign) return undefined;
    const mark = signed[1] ?? signed[4];
    [sign, rest] = [mark === '+' ? '' : '-', signed[2] ?? signed[3] ?? ''];
  }
  rest = rest.replace(currencySigns, '').replace(/%$/, '');
  if (!/\d/.test(rest) || !shapes[separator].test(rest)) return undefined;
  const [whole = '', decimals = ''] = rest.split(separator);
  const digits = (separator === '.' ? whole.replaceAll(',', '') : whole.replaceAll('.', '')).replace(/^0+(?=\d)/, '');
  return `${sign}${digits || '0'}${decimals ? `.${decimals}` : ''}`;
}

/** A number that a spreadsheet typed, without the noise of its last binary digits (15 are what Excel itself shows). */
export function typedNumber(value: number): string | undefined {
  if (!Number.isFinite(value) || Math.abs(value) >= 1e15) return undefined;
  const text = Number(value.toPrecision(15)).toString();
  return /e/.test(text)
    ? Number(text)
        .toFixed(15)
        .replace(/\.?0+$/, '')
    : text;
}

/** Half away from zero, as money is rounded. */
export function roundedToCents(text: string): string {
  const [whole = '', decimals = ''] = text.split('.');
  if (decimals.length <= 2) return text;
  const isNegative = whole.startsWith('-');
  const cents = BigInt(`${whole.replace('-', '')}${decimals.slice(0, 2)}`) + (decimals.charAt(2) >= '5' ? 1n : 0n);
  const digits = cents.toString().padStart(3, '0');
  return `${isNegative ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
