import { z } from 'zod';
import { lengthOfText, longestText } from '../../../integrations/meta/meta-messaging.js';
import { Currency, Line, Timestamp, TimeZone } from '../../../kernel/http/primitives.js';
import { isKeyword } from '../leads/keyword-matching.js';
import { PrivateReplyText, PublicReplyText } from '../leads/lead-texts.js';
import { inMinorUnits } from './appointment-fee.js';
import { type OpenSpan, weekdays } from './business-hours.js';

const regionNames = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });
/** Codes that stand for no country of their own: unions, and placeholders. */
const noCountries = new Set(['EU', 'EZ', 'QO', 'UN', 'XA', 'XB', 'ZZ']);

/** One that has been replaced, as DD was, has another canonical form. */
function isCountry(code: string): boolean {
  if (!/^[A-Z]{2}$/.test(code) || noCountries.has(code) || regionNames.of(code) === undefined) return false;
  return new Intl.Locale(`und-${code}`).region === code;
}

const Country = z
  .string()
  .refine(isCountry, 'is not an ISO 3166-1 country of two letters')
  .meta({ description: 'ISO 3166-1 alpha-2', examples: ['DE'] });

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const noControlCharacters = /^[^\u0000-\u0009\u000b-\u001f\u007f]*$/;

/** Several lines that a person reads. */
const Paragraph = z.string().trim().min(1).max(1_000).regex(noControlCharacters, 'holds control characters');

const longest = longestText.instagram;

/** What is sent by itself, on whichever channel: Instagram takes the shorter ones, and counts bytes. */
const Message = Paragraph.refine(
  (text) => lengthOfText('instagram', text) <= longest,
  `is longer than the ${longest} bytes of UTF-8 that Instagram takes`,
);

const From = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'is not a time such as 09:00')
  .meta({ examples: ['09:00'] });
const To = z
  .string()
  .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'is not a time such as 17:30, or 24:00 for the end of the day')
  .meta({ examples: ['17:30'] });

const Span = z
  .strictObject({ from: From, to: To })
  .refine(({ from, to }) => from < to, 'ends before it begins; one over midnight is two, the first until 24:00');

const byBeginning = (spans: readonly OpenSpan[]): OpenSpan[] => spans.toSorted((a, b) => (a.from < b.from ? -1 : 1));

const Spans = z
  .array(Span)
  .max(12)
  .refine(
    (spans) => byBeginning(spans).every(({ from }, index, all) => index === 0 || (all[index - 1]?.to ?? '') <= from),
    'holds spans that overlap',
  )
  .transform(byBeginning);

const week = <Day extends z.ZodType>(day: Day) =>
  Object.fromEntries(weekdays.map((name) => [name, day])) as Record<(typeof weekdays)[number], Day>;

const Hours = z.strictObject(week(Spans)).partial().meta({
  description: "By day, in the doctor's time zone; a day that is missing is closed. Without any, always open.",
});

const AppointmentFee = z
  .strictObject({
    amount: z
      .string()
      .regex(/^\d{1,12}(\.\d{1,4})?$/, 'is not an amount such as 80.00')
      .meta({ examples: ['80.00'] }),
    currency: Currency,
  })
  .refine((fee) => inMinorUnits(fee) !== undefined, 'has more digits than its currency');

/** Words of a comment: told apart whatever their case. */
const Keywords = z
  .array(Line.max(50).refine(isKeyword, 'holds nothing to look for'))
  .max(50)
  .refine((words) => new Set(words.map((word) => word.toLowerCase())).size === words.length, 'holds a word twice');

const shortest = 5;

export const DoctorSettingsChanges = z
  .strictObject({
    practiceName: Line.nullable(),
    specialty: Line.nullable(),
    addressSummary: Paragraph.max(500).nullable(),
    appointmentFee: AppointmentFee.nullable().meta({ description: 'What an appointment costs, for patients to know.' }),
    country: Country.nullable(),
    timeZone: TimeZone,
    businessHours: Hours,
    slotIntervalMinutes: z.int().min(shortest).max(240),
    minAdvanceHours: z.int().min(0).max(8_760),
    maxAdvanceBookingDays: z.int().min(1).max(730),
    cancellationPolicyHours: z.int().min(0).max(8_760).nullable(),
    maxAppointmentsPerDay: z.int().min(1).max(1_000).nullable(),
    welcomeMessage: Message.nullable().meta({
      description: 'Answered to the first message of a day; null: nothing is.',
    }),
    awayMessage: Message.nullable().meta({
      description: 'Answered outside the business hours in place of the welcome.',
    }),
    instagramReceptionistPaused: z.boolean().meta({ description: 'No automatic answers on Instagram.' }),
    instagramReceptionistPauseMessage: Message.nullable().meta({
      description: 'Answered once a day while they are paused; null: nothing is.',
    }),
    leadKeywords: Keywords.meta({
      description: "Words of a comment that show an intent to book; the installation's own list where there are none.",
    }),
    leadPublicReply: PublicReplyText.nullable().meta({ description: 'Answered below such a comment, for all to see.' }),
    leadPrivateReply: PrivateReplyText.nullable().meta({ description: 'Sent to whoever wrote it.' }),
  })
  .partial()
  .meta({ id: 'DoctorSettingsChanges' });
export type DoctorSettingsChanges = z.infer<typeof DoctorSettingsChanges>;

const OpenHours = z
  .object(week(z.array(z.object({ from: z.string(), to: z.string() }))))
  .partial()
  .meta({ description: "By day, in the doctor's time zone." });

export const DoctorSettings = z
  .object({
    practiceName: z.string().nullable(),
    specialty: z.string().nullable(),
    addressSummary: z.string().nullable(),
    appointmentFee: z.object({ amount: z.string(), currency: z.string() }).nullable(),
    country: z.string().nullable(),
    timeZone: z.string(),
    businessHours: OpenHours,
    slotIntervalMinutes: z.int(),
    minAdvanceHours: z.int(),
    maxAdvanceBookingDays: z.int(),
    cancellationPolicyHours: z.int().nullable(),
    maxAppointmentsPerDay: z.int().nullable(),
    welcomeMessage: z.string().nullable(),
    awayMessage: z.string().nullable(),
    instagramReceptionistPaused: z.boolean(),
    instagramReceptionistPauseMessage: z.string().nullable(),
    leadKeywords: z.array(z.string()),
    leadPublicReply: z.string().nullable(),
    leadPrivateReply: z.string().nullable(),
    updatedAt: Timestamp.nullable().meta({ description: 'Null for settings that nobody has changed yet.' }),
  })
  .meta({ id: 'DoctorSettings' });
export type DoctorSettings = z.input<typeof DoctorSettings>;

/** The version that `If-Match` names; settings that are not kept yet have one, too. */
export const versionOf = ({ updatedAt }: z.output<typeof DoctorSettings>): string => updatedAt ?? 'as they came';

export const Pause = z
  .strictObject({
    message: Message.nullable().optional().meta({
      description: 'Answered once a day meanwhile; null for none. The one of before where it is not sent along.',
    }),
  })
  .meta({ id: 'InstagramPause' });
export type Pause = z.infer<typeof Pause>;
