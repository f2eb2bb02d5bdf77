/** When a practice is open. Its schema stands beside the doctor's other settings. */

export const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
export type Weekday = (typeof weekdays)[number];

/** `HH:MM` of the doctor's clock; `to` is the first minute that is closed again, `24:00` the end of the day. */
export interface OpenSpan {
  from: string;
  to: string;
}

export type BusinessHours = Partial<Record<Weekday, readonly OpenSpan[]>>;

/**
 * Whether a practice is open at that moment, by the clock on its wall: an hour that summer time skips is never there, one
 * that comes twice counts both times. A day without spans is closed; who has told no hours at all is never away.
 */
export function isOpen(hours: BusinessHours, timeZone: string, at: Date): boolean {
  if (weekdays.every((day) => !hours[day]?.length)) return true;
  const { day, time } = wallClock(timeZone, at);
  return (hours[day] ?? []).some(({ from, to }) => from <= time && time < to);
}

function wallClock(timeZone: string, at: Date): { day: Weekday; time: string } {
  const parts = Object.fromEntries(
    clockOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  return { day: parts.weekday?.toLowerCase() as Weekday, time: `${parts.hour}:${parts.minute}` };
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** Made once for each zone: making one takes longer than a thousand answers of it. */
function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone);
  if (known) return known;
  const parts = { weekday: 'long', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone, ...parts });
  clocks.set(timeZone, clock);
  return clock;
}
