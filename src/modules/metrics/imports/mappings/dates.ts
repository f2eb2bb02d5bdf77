/** Business days in and out of the ways in which people and spreadsheets write them. */

const dayMs = 86_400_000;
/** Day 0 of Excel's two date systems. The first counts a 29 February 1900 that never was, so it starts a day early. */
const epoch1900 = Date.UTC(1899, 11, 30);
const epoch1904 = Date.UTC(1904, 0, 1);

const iso = /^(\d{4})-(\d{2})-(\d{2})$/;

type DateReader = (text: string) => string | undefined;

const parts: Record<string, string> = {
  DD: '(?<day>\\d{2})',
  D: '(?<day>\\d{1,2})',
  MM: '(?<month>\\d{2})',
  M: '(?<month>\\d{1,2})',
  YYYY: '(?<year>\\d{4})',
  YY: '(?<year>\\d{2})',
};

/**
 * Reads dates of one format, and YYYY-MM-DD beside it, which cannot be mistaken.
 *
 * @returns undefined for a format that does not name a day, a month and a year once each
 */
export function dateReader(format: string): DateReader | undefined {
  const tokens = format.match(/D+|M+|Y+|[^DMY]/g) ?? [];
  const kinds = tokens.map((token) => token[0]).filter((letter) => letter && 'DMY'.includes(letter));
  const isWhole = kinds.toSorted().join('') === 'DMY';
  const isKnown = tokens.every((token) => token in parts || /^[-./ ]$/.test(token));
  if (!isWhole || !isKnown) return undefined;
  const pattern = new RegExp(`^${tokens.map((token) => parts[token] ?? `\\${token}`).join('')}$`);
  return (text) => {
    const { year, month, day } = pattern.exec(text)?.groups ?? {};
    return year && month && day ? dayOf(fullYear(year), Number(month), Number(day)) : isoDate(text);
  };
}

/** YYYY-MM-DD when it is a day of the calendar. */
export function isoDate(text: string): string | undefined {
  const [, year, month, day] = iso.exec(text) ?? [];
  return dayOf(Number(year), Number(month), Number(day));
}

/** The day of a spreadsheet's serial number; the fraction, which is the time of day, is dropped. */
export function serialDate(serial: number, countsFrom1904 = false): string | undefined {
  const days = Math.floor(serial);
  if (!(days > 0 && days < 3_000_000)) return undefined;
  return new Date((countsFrom1904 ? epoch1904 : epoch1900) + days * dayMs).toISOString().slice(0, 10);
}

/** Two digits are of the hundred years that end in twenty years' time at most: 70 to 99 are the last century. */
function fullYear(text: string): number {
  const year = Number(text);
  if (text.length === 4) return year;
  return year < 70 ? 2000 + year : 1900 + year;
}

function dayOf(year: number, month: number, day: number): string | undefined {
  const time = Date.UTC(year, month - 1, day);
  if (Number.isNaN(time) || year < 1000) return undefined;
  const date = new Date(time);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.toISOString().slice(0, 10) : undefined;
}
