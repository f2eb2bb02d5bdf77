import { Temporal } from 'temporal-polyfill';
import { ScheduleTimeRefused } from './posts.errors.js';
import type { ScheduleRequest, Warning } from './scheduling.schemas.js';

const minuteMs = 60_000;
const longestBackMs = 15 * minuteMs;
const longestAheadMs = 366 * 24 * 60 * minuteMs;

/**
 * The point in time that somebody meant.
 *
 * A time that the clocks skip in spring is refused. One that they show twice in autumn is taken as the first, and the
 * answer says so.
 *
 * @throws ScheduleTimeRefused
 */
export function resolveTime(request: ScheduleRequest, now: Date): { at: Date; warnings: Warning[] } {
  const { scheduledFor, localTime, timeZone } = request;
  const local = localTime !== undefined && timeZone !== undefined ? resolveLocal(localTime, timeZone) : undefined;
  const resolved = local ?? { at: new Date(scheduledFor ?? Number.NaN), warnings: [] };
  const path = local ? 'localTime' : 'scheduledFor';
  const ahead = resolved.at.getTime() - now.getTime();
  if (Number.isNaN(ahead)) throw refusal(path, 'no-such-time', 'There is no such time.');
  if (ahead < -longestBackMs) throw refusal(path, 'in-the-past', 'It lies more than 15 minutes back.');
  if (ahead > longestAheadMs) throw refusal(path, 'too-far-ahead', 'It lies more than a year ahead.');
  return resolved;
}

function resolveLocal(localTime: string, timeZone: string): { at: Date; warnings: Warning[] } {
  const local = plainTime(localTime);
  const earlier = local.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  const later = local.toZonedDateTime(timeZone, { disambiguation: 'later' });
  // The clocks skip it: either reading moves to another time of the clock.
  if (!earlier.toPlainDateTime().equals(local))
    throw refusal('localTime', 'skipped-by-the-clocks', `The clocks of ${timeZone} skip it.`);
  const at = new Date(earlier.epochMilliseconds);
  if (earlier.epochMilliseconds === later.epochMilliseconds) return { at, warnings: [] };
  const message = `The clocks of ${timeZone} show this time twice: the first is taken, ${at.toISOString()}.`;
  return { at, warnings: [{ code: 'ambiguous-local-time', message }] };
}

function plainTime(text: string): Temporal.PlainDateTime {
  try {
    return Temporal.PlainDateTime.from(text, { overflow: 'reject' });
  } catch (error) {
    throw refusal('localTime', 'no-such-time', 'There is no such time.', error);
  }
}

function refusal(path: string, code: string, message: string, cause?: unknown) {
  return new ScheduleTimeRefused(undefined, { errors: [{ path, code, message }], cause });
}
