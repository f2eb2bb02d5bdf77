/**
 * Whether a US National Provider Identifier is well-formed: ten digits, the last a Luhn check digit computed with the
 * prefix 80840 (CMS, "Requirements for National Provider Identifier and NPI Check Digit").
 */
export function isNpi(text: string): boolean {
  if (!/^[12]\d{9}$/.test(text)) return false;
  const digits = [...`80840${text}`].reverse().map(Number);
  const sum = digits.reduce((total, digit, position) => total + luhnValue(digit, position), 0);
  return sum % 10 === 0;
}

function luhnValue(digit: number, position: number): number {
  if (position % 2 === 0) return digit;
  return digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
}
