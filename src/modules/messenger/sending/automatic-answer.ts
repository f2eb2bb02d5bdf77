import { type BusinessHours, isOpen } from '../doctors/business-hours.js';

/** What decides whether a message is answered by itself, and with what. */
export interface AnswerRules {
  timeZone: string;
  businessHours: BusinessHours;
  welcomeMessage: string | null;
  awayMessage: string | null;
  isPaused: boolean;
  /** Said in place of all others while answers are paused. */
  pauseMessage: string | null;
  /** Days, in that time zone, of which the last answers were. */
  welcomedOn: string | null;
  awayOn: string | null;
}

export interface AutomaticAnswer {
  kind: 'welcome' | 'away';
  /** The day in the doctor's time zone on which it is said, and not again. */
  day: string;
  text: string;
}

/**
 * The answer to a message that was written at that moment, if there is one.
 *
 * Outside the business hours, or while answers are paused, it is said that nobody is there, once a day; else the first
 * message of the day is welcomed, unless its writer has heard on that day already that nobody is there. Where nothing is to
 * be said of being away, a welcome is one at night, too.
 */
export function automaticAnswer(rules: AnswerRules, at: Date): AutomaticAnswer | undefined {
  const { timeZone, welcomeMessage, welcomedOn, awayOn } = rules;
  const day = dayIn(timeZone, at);
  const isNew = (last: string | null) => last === null || last < day;
  const away = awayText(rules, at);
  if (away !== null) return isNew(awayOn) ? { kind: 'away', day, text: away } : undefined;
  if (rules.isPaused || welcomeMessage === null) return undefined;
  return isNew(welcomedOn) && isNew(awayOn) ? { kind: 'welcome', day, text: welcomeMessage } : undefined;
}

function awayText({ isPaused, pauseMessage, awayMessage, businessHours, timeZone }: AnswerRules, at: Date) {
  if (isPaused) return pauseMessage;
  return isOpen(businessHours, timeZone, at) ? null : awayMessage;
}

const calendars = new Map<string, Intl.DateTimeFormat>();

/** `YYYY-MM-DD` on the wall there. */
function dayIn(timeZone: string, at: Date): string {
  const parts = calendarOf(timeZone).formatToParts(at);
  const part = (wanted: string) => parts.find(({ type }) => type === wanted)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')}`;
}

/** Made once for each zone: making one takes longer than a thousand answers of it. */
function calendarOf(timeZone: string): Intl.DateTimeFormat {
  const known = calendars.get(timeZone);
  if (known) return known;
  const calendar = new Intl.DateTimeFormat('en-GB', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  calendars.set(timeZone, calendar);
  return calendar;
}
