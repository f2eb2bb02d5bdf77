import { CronTime } from 'cron';

/** Schedules are in UTC wherever an instance stands, so that all tick at once. */
export const scheduleZone = 'UTC';

/** When a schedule is due next. */
export function nextRunOf(schedule: string): Date {
  return new CronTime(schedule, scheduleZone).sendAt().toJSDate();
}
