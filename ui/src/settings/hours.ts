/** The week of an hours file: pure changes of it, in minutes of the day. */
import type { Schedule } from '../host';

export type Day = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';
export type Interval = [string, string];

export const DAYS: ReadonlyArray<readonly [Day, string]> = [
  ['mon', 'Monday'],
  ['tue', 'Tuesday'],
  ['wed', 'Wednesday'],
  ['thu', 'Thursday'],
  ['fri', 'Friday'],
  ['sat', 'Saturday'],
  ['sun', 'Sunday'],
];

/** Minutes of a day. */
export const WHOLE = 24 * 60;
/** A stretch of the day in minutes, its end not in it. */
export type Room = readonly [number, number];
const ALL_DAY: Room = [0, WHOLE];
/** What dragging and arrow keys snap to. */
export const STEP = 15;

/** `09:30` as minutes of the day; `24:00` is the end of it. */
export function minutes(time: string): number {
  const [h = 0, m = 0] = time.split(':').map(Number);
  return h * 60 + m;
}

/** Minutes of the day as `09:30`. */
export function text(of: number): string {
  return `${String(Math.floor(of / 60)).padStart(2, '0')}:${String(of % 60).padStart(2, '0')}`;
}

/** A typed time as `09:30`: `9`, `9:30`, `930`, `9.30`, `9pm` are understood. */
export function parse(typed: string): string | null {
  const match = /^\s*(\d{1,2})(?:[:.h]?(\d{2}))?\s*(am|pm)?\s*$/i.exec(typed);
  if (!match) return null;
  let hour = Number(match[1]);
  const minute = Number(match[2] ?? 0);
  const half = match[3]?.toLowerCase();
  if (half && (hour < 1 || hour > 12)) return null;
  if (half) hour = (hour % 12) + (half === 'pm' ? 12 : 0);
  if (minute > 59 || hour > 24 || (hour === 24 && minute > 0)) return null;
  return text(hour * 60 + minute);
}

/** Minutes of work; an interval that ends before it starts runs past midnight. */
export function length([start, end]: Interval): number {
  const [from, to] = [minutes(start), minutes(end)];
  return to > from ? to - from : to - from + WHOLE;
}

/** `8 h`, `4 h 30`, `free`. */
export function sum(intervals: Interval[]): string {
  const total = intervals.reduce((all, one) => all + length(one), 0);
  if (total === 0) return 'free';
  const rest = total % 60;
  return rest === 0 ? `${total / 60} h` : `${Math.floor(total / 60)} h ${rest}`;
}

/** The day's intervals in order. */
export function sorted(intervals: Interval[]): Interval[] {
  return intervals.toSorted((a, b) => minutes(a[0]) - minutes(b[0]));
}

/** Whether two of a day overlap. */
export function overlap(intervals: Interval[]): boolean {
  const all = sorted(intervals);
  return all.some((one, i) => {
    const next = all[i + 1];
    return next !== undefined && minutes(one[0]) + length(one) > minutes(next[0]);
  });
}

/** The next interval to add to a day, none when the day is full. */
export function next(intervals: Interval[]): Interval | null {
  const last = sorted(intervals).at(-1);
  if (!last) return ['09:00', '17:00'];
  const start = minutes(last[0]) + length(last) + 60;
  if (start + 60 > WHOLE) return null;
  return [text(start), text(Math.min(start + 120, WHOLE))];
}

/** The free stretch of a day around a minute, between the other intervals. */
export function room(others: Interval[], at: number): Room {
  let [from, to] = ALL_DAY;
  for (const one of others) {
    const start = minutes(one[0]);
    const end = start + length(one);
    if (end <= at) from = Math.max(from, end);
    else if (start >= at) to = Math.min(to, start);
  }
  return [from, to];
}

/** The interval moved, within its room; one past midnight stays where it is. */
export function moved(interval: Interval, by: number, [first, last]: Room = ALL_DAY): Interval {
  const [start, size] = [minutes(interval[0]), length(interval)];
  if (start + size > WHOLE) return interval;
  const to = Math.max(first, Math.min(start + by, last - size));
  return [text(to), text(to + size)];
}

/** The interval with its start or end moved, never shorter than a step. */
export function resized(interval: Interval, edge: 'start' | 'end', by: number, [first, last]: Room = ALL_DAY): Interval {
  const start = minutes(interval[0]);
  const end = start + length(interval);
  if (edge === 'start') return [text(Math.max(first, Math.min(start + by, Math.min(end, WHOLE) - STEP))), interval[1]];
  if (end > WHOLE) return interval;
  return [interval[0], text(Math.max(start + STEP, Math.min(end + by, last)))];
}

/** The schedule with another day; what it holds besides is kept. */
export function withDay(schedule: Schedule, day: Day, intervals: Interval[]): Schedule {
  return { ...schedule, weekly: { ...schedule.weekly, [day]: sorted(intervals) } };
}

/** What is drawn of a day: its own intervals, and what runs over from the day before. */
export function drawn(own: Interval[], before: Interval[]): Array<{ from: number; to: number; index: number | null }> {
  const over = before
    .filter((one) => minutes(one[0]) + length(one) > WHOLE)
    .map((one) => ({ from: 0, to: minutes(one[0]) + length(one) - WHOLE, index: null }));
  return [
    ...over,
    ...own.map((one, index) => ({ from: minutes(one[0]), to: Math.min(minutes(one[0]) + length(one), WHOLE), index })),
  ];
}
