/** Time off as people read it. */
import type { TimeOff } from '../host';

/** The first to begin first. */
export function sortedOff(entries: TimeOff[]): TimeOff[] {
  return entries.toSorted((a, b) => a.from.localeCompare(b.from));
}

/** `Fri 27 Nov`, `23 Dec – 2 Jan 2027`, `31 Dec 12:00 – 1 Jan`. */
export function inWords(entry: TimeOff, today: string): string {
  const one = (moment: string, weekday: boolean) => {
    const [day = '', time] = moment.split('T');
    const date = new Date(`${day}T00:00Z`);
    if (Number.isNaN(date.getTime())) return moment;
    const words = date.toLocaleDateString('en-GB', {
      timeZone: 'UTC',
      day: 'numeric',
      month: 'short',
      ...(weekday ? { weekday: 'short' } : {}),
      ...(day.slice(0, 4) === today.slice(0, 4) ? {} : { year: 'numeric' }),
    });
    return [words.replace(',', ''), time?.slice(0, 5)].filter(Boolean).join(' ');
  };
  return entry.from === entry.to ? one(entry.from, true) : `${one(entry.from, false)} – ${one(entry.to, false)}`;
}
