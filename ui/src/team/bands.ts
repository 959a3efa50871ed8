/** Where things stand on a band that is one day wide. */
import type { Span, TeamPerson } from '../host';
import { clock, local, millis } from '../parts/time';

export interface Place {
  left: number;
  width: number;
}

/** The part of a span that lies within the day, as shares of it; none if outside. */
export function place(span: Span, day: Span): Place | null {
  const [from, to] = [millis(day.start), millis(day.end)];
  const start = Math.max(millis(span.start), from);
  const end = Math.min(millis(span.end), to);
  if (!(end > start)) return null;
  return { left: (start - from) / (to - from), width: (end - start) / (to - from) };
}

/** An instant as a share of the day; none if outside. */
export function at(instant: string | number, day: Span): number | null {
  const share = (millis(instant) - millis(day.start)) / (millis(day.end) - millis(day.start));
  return share >= 0 && share <= 1 ? share : null;
}

/** Every third hour of the day, also where the clocks change. */
export function ticks(day: Span, zone: string): Array<{ at: number; text: string }> {
  const found: Array<{ at: number; text: string }> = [];
  const end = millis(day.end);
  for (let ms = millis(day.start); ms < end; ms += 3_600_000) {
    const { hour } = local(ms, zone);
    const text = clock(ms, zone).slice(0, 2);
    if (hour % 3 === 0 && found.at(-1)?.text !== text) found.push({ at: at(ms, day) ?? 0, text });
  }
  return found;
}

/** Whether somebody has working hours on the day that is shown. */
export function anybody(people: TeamPerson[]): boolean {
  return people.some((person) => person.bands.some((band) => band.kind === 'work'));
}

/** Those whose name, place or work holds all the words. */
export function filter(people: TeamPerson[], words: string): TeamPerson[] {
  const wanted = fold(words).split(/\s+/).filter(Boolean);
  return people.filter((person) => {
    const text = fold(`${person.name} ${person.city} ${person.title} ${person.zone ?? ''}`);
    return wanted.every((word) => text.includes(word));
  });
}

/** Lower case without accents, so that `tomas` finds Tomás. */
function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
