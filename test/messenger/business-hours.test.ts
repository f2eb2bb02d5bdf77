import { type BusinessHours, isOpen } from '../../src/modules/messenger/doctors/business-hours.js';

const office = { from: '09:00', to: '17:00' };
const weekdaysOnly: BusinessHours = {
  monday: [office],
  tuesday: [
    { from: '08:00', to: '12:00' },
    { from: '14:00', to: '18:30' },
  ],
  friday: [{ from: '20:00', to: '24:00' }],
  saturday: [{ from: '00:00', to: '02:00' }],
  sunday: [],
};
const open = (timeZone: string, at: string, hours = weekdaysOnly) => isOpen(hours, timeZone, new Date(at));

describe('Business hours', () => {
  it.each([
    ['before they begin', '2026-01-05T07:59:59Z', false],
    ['from the first minute on', '2026-01-05T08:00:00Z', true],
    ['in the last minute', '2026-01-05T15:59:59Z', true],
    ['from the minute they end', '2026-01-05T16:00:00Z', false],
    ['between two spans', '2026-01-06T11:00:00Z', false],
    ['in the second span', '2026-01-06T13:00:00Z', true],
    ['on a day that is missing', '2026-01-07T10:00:00Z', false],
    ['on a day without spans', '2026-01-04T10:00:00Z', false],
    ['until midnight', '2026-01-09T22:59:59Z', true],
    ['on after midnight', '2026-01-10T00:59:59Z', true],
    ['and then no more', '2026-01-10T01:00:00Z', false],
  ])('are of the clock on the wall: %s', (_name, at, expected) => {
    expect(open('Europe/Berlin', at)).toBe(expected);
  });

  it.each([
    ['Asia/Kolkata', '2026-01-05T03:30:00Z', true],
    ['Asia/Kolkata', '2026-01-05T03:29:00Z', false],
    ['Asia/Kathmandu', '2026-01-05T03:15:00Z', true],
    ['Pacific/Auckland', '2026-01-04T20:00:00Z', true],
    ['America/Los_Angeles', '2026-01-06T00:59:00Z', true],
    ['America/Los_Angeles', '2026-01-06T01:00:00Z', false],
    ['UTC', '2026-01-05T09:00:00Z', true],
  ])('are those of the zone, and so is the day: %s at %s', (timeZone, at, expected) => {
    expect(open(timeZone, at)).toBe(expected);
  });

  it('move with summer time', () => {
    const hours = { sunday: [office] };
    // Berlin: UTC+1 on 22 March, UTC+2 from 29 March 2026 on.
    expect(open('Europe/Berlin', '2026-03-22T07:30:00Z', hours)).toBe(false);
    expect(open('Europe/Berlin', '2026-03-29T07:30:00Z', hours)).toBe(true);
    expect(open('Europe/Berlin', '2026-10-18T07:30:00Z', hours)).toBe(true);
    expect(open('Europe/Berlin', '2026-10-25T07:30:00Z', hours)).toBe(false);
  });

  it('in an hour that summer time skips are never, and in one that comes twice both times', () => {
    const hours = { sunday: [{ from: '02:00', to: '03:00' }] };
    const everyQuarter = (day: string) =>
      Array.from({ length: 96 }, (_, quarter) => new Date(Date.parse(`${day}T00:00:00Z`) + quarter * 900_000));
    const openQuarters = (day: string) => everyQuarter(day).filter((at) => isOpen(hours, 'Europe/Berlin', at));
    expect(openQuarters('2026-03-29')).toEqual([]);
    expect(openQuarters('2026-10-25')).toHaveLength(8);
    expect(openQuarters('2026-10-18')).toHaveLength(4);
  });

  it('of a span over the jump are shorter by it, and never closed within', () => {
    const hours = { sunday: [{ from: '01:00', to: '05:00' }] };
    const minutes = Array.from(
      { length: 24 * 60 },
      (_, minute) => Date.parse('2026-03-29T00:00:00Z') + minute * 60_000,
    );
    // 01:00 in Berlin is midnight in UTC; 05:00 of summer time is 03:00.
    expect(minutes.filter((at) => isOpen(hours, 'Europe/Berlin', new Date(at)))).toHaveLength(180);
  });

  it.each([{}, { monday: [] }])('that nobody has told are always', (hours) => {
    expect(open('Europe/Berlin', '2026-01-05T03:00:00Z', hours)).toBe(true);
  });
});
