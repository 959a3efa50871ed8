/**
 * Times as people read them. Every function takes the zone to show the time
 * in; nothing here knows the reader, reads a clock or moves an instant.
 */

/** RFC 3339, milliseconds since 1970, or a date. */
export type Instant = string | number | Date;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A due this close is shown as what is left of it, in red. */
const SOON = 2 * HOUR;

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const LONG = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

interface Local {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string): Intl.DateTimeFormat {
  let known = formats.get(zone);
  if (!known) {
    const options: Intl.DateTimeFormatOptions = {
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    };
    try {
      known = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone });
    } catch {
      // A zone this webview does not know: UTC is wrong by hours, but visible
      // as such wherever the zone's name stands beside it.
      known = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' });
    }
    formats.set(zone, known);
  }
  return known;
}

/** Milliseconds since 1970; NaN for what is no time. */
export function millis(at: Instant): number {
  return typeof at === 'number' ? at : new Date(at).getTime();
}

/** The wall clock of a zone at an instant. */
export function local(at: Instant, zone: string): Local {
  const ms = millis(at);
  const found: Record<string, number> = {};
  if (!Number.isNaN(ms)) {
    for (const part of format(zone).formatToParts(ms)) found[part.type] = Number(part.value);
  }
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = found;
  return { year, month, day, hour, minute, second };
}

const two = (n: number) => String(n).padStart(2, '0');

/** `09:05`. */
export function clock(at: Instant, zone: string): string {
  const { hour, minute } = local(at, zone);
  return `${two(hour)}:${two(minute)}`;
}

/** The calendar day, `2026-11-16`. */
export function day(at: Instant, zone: string): string {
  const l = local(at, zone);
  return `${l.year}-${two(l.month)}-${two(l.day)}`;
}

/** Days from one calendar day to another. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00Z`) - Date.parse(`${from}T00:00Z`)) / DAY);
}

/** A calendar day some days later. */
export function addDays(from: string, days: number): string {
  return new Date(Date.parse(`${from}T00:00Z`) + days * DAY).toISOString().slice(0, 10);
}

/** 0 for Monday to 6 for Sunday. */
export function weekday(of: string): number {
  return (new Date(`${of}T00:00Z`).getUTCDay() + 6) % 7;
}

/**
 * The instant of a wall-clock time. A time that the clocks skip becomes the
 * same distance after the gap; of one that occurs twice, the first.
 */
export function instant(of: string, time: string, zone: string): Date {
  const wanted = Date.parse(`${of}T${time}Z`);
  const offset = (at: number) => {
    const l = local(at, zone);
    return Date.UTC(l.year, l.month - 1, l.day, l.hour, l.minute, l.second) - Math.floor(at / 1000) * 1000;
  };
  const candidates = [offset(wanted - DAY), offset(wanted + DAY)].map((o) => wanted - o);
  const exact = candidates.filter((at) => at + offset(at) === wanted).sort((a, b) => a - b)[0];
  return new Date(exact ?? candidates[0] ?? wanted);
}

/** `40 min`, `2 h`, `1 h 40 min`, `3 d`. */
export function duration(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / MINUTE));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(hours / 24)} d`;
  const rest = minutes % 60;
  return rest === 0 || hours >= 10 ? `${hours} h` : `${hours} h ${rest} min`;
}

/** `Tue`, or `Tuesday`; `24 Nov` when it is too far to be meant by a weekday alone. */
export function dayName(of: string, today: string, whole = false): string {
  const apart = daysBetween(today, of);
  const date = new Date(`${of}T00:00Z`);
  if (Math.abs(apart) < 7) return (whole ? LONG : WEEKDAYS)[date.getUTCDay()] ?? '';
  const short = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  return of.slice(0, 4) === today.slice(0, 4) ? short : `${short} ${of.slice(0, 4)}`;
}

/** `15:00` today, else `Tue 15:00`, `24 Nov 15:00`. */
export function moment(at: Instant, zone: string, now: Instant): string {
  const [its, today] = [day(at, zone), day(now, zone)];
  return its === today ? clock(at, zone) : `${dayName(its, today)} ${clock(at, zone)}`;
}

/** As a phrase: `15:00 today`, `tomorrow 09:00`, `yesterday 09:12`, else as `moment`. */
export function spoken(at: Instant, zone: string, now: Instant): string {
  const apart = daysBetween(day(now, zone), day(at, zone));
  if (apart === 0) return `${clock(at, zone)} today`;
  if (apart === 1) return `tomorrow ${clock(at, zone)}`;
  if (apart === -1) return `yesterday ${clock(at, zone)}`;
  return moment(at, zone, now);
}

/** How a due reads, and how much it presses. */
export interface Due {
  text: string;
  tone: 'late' | 'soon' | 'later';
}

/** What is left when it is soon, the time of day today, else the day and time. */
export function due(at: Instant, zone: string, now: Instant): Due {
  const left = millis(at) - millis(now);
  if (left < 0) return { text: `${duration(-left)} late`, tone: 'late' };
  if (left < SOON) return { text: duration(left), tone: 'soon' };
  return { text: moment(at, zone, now), tone: 'later' };
}

/** How long ago: `5 min`, `2 h`, then `Fri`, `12 Nov`. */
export function age(at: Instant, zone: string, now: Instant): string {
  const past = millis(now) - millis(at);
  if (past < MINUTE) return 'now';
  if (past < HOUR) return duration(past);
  if (past < DAY) return `${Math.floor(past / HOUR)} h`;
  return dayName(day(at, zone), day(now, zone));
}

/** `Tuesday 17 November 2026, 11:00 (Lisbon)`; `place` is what the reader calls it. */
export function full(at: Instant, zone: string, place = city(zone)): string {
  const date = new Date(`${day(at, zone)}T00:00Z`).toLocaleDateString('en-GB', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });
  return `${date.replace(',', '')}, ${clock(at, zone)} (${place})`;
}

/** `10:50–11:00`. */
export function range(start: Instant, end: Instant, zone: string): string {
  return `${clock(start, zone)}–${clock(end, zone)}`;
}

/** The place a zone is named after: `Mexico City`. */
export function city(zone: string): string {
  return (zone.split('/').at(-1) ?? zone).replaceAll('_', ' ');
}

/** Whether two zones show the same wall clock now. */
export function sameClock(a: string, b: string, now: Instant): boolean {
  return a === b || (clock(now, a) === clock(now, b) && day(now, a) === day(now, b));
}
