import { z } from 'zod';

export const Uuid = z.uuid().meta({ description: 'UUID' });

/** A point in time on its way out: Date from the database, RFC 3339 in UTC to the client. */
export const Timestamp = z.preprocess(
  (value) => (value instanceof Date ? value.toISOString() : value),
  z.string().meta({ format: 'date-time' }),
);

/** Trimmed and lower-cased; RFC 5321 allows 254 characters. */
export const Email = z.string().trim().toLowerCase().max(254).pipe(z.email());

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const noControlCharacters = /^[^\u0000-\u001f\u007f]*$/;

/** A line of text that a person reads: a name, a title. */
export const Line = z.string().trim().min(1).max(200).regex(noControlCharacters, 'holds control characters');

/** 10 to 128 characters as a person counts them; the list of common ones is checked by `Passwords`. */
export const NewPassword = z
  .string()
  .refine((text) => {
    const length = [...text].length;
    return length >= 10 && length <= 128;
  }, 'must have 10 to 128 characters')
  .meta({ minLength: 10, maxLength: 128 });

const timeZones = new Set([...Intl.supportedValuesOf('timeZone'), 'UTC']);
const currencies = new Set(Intl.supportedValuesOf('currency'));

export const TimeZone = z
  .string()
  .refine((name) => timeZones.has(name), 'is not an IANA time zone')
  .meta({ description: 'IANA time zone', examples: ['Europe/Berlin'] });

export const Currency = z
  .string()
  .refine((code) => currencies.has(code), 'is not an ISO 4217 currency')
  .meta({ description: 'ISO 4217', examples: ['EUR'] });
