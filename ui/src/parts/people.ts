/** People as they are shown: initials, a colour of their own, what they do now. */
import type { Contact, PersonState } from '../host';
import { clock, day, dayName, moment } from './time';

/** White text on each has a contrast of at least 4.5. */
const COLOURS = [
  '#17665f',
  '#2f7d6f',
  '#7a5c9e',
  '#a35a2f',
  '#a3456b',
  '#4a6a9b',
  '#65732c',
  '#8a4f9e',
  '#996515',
  '#3f7a3f',
  '#b0483f',
  '#5b62a8',
];

/** `ML` for Mei Lin, `SO` for `sara.okafor@example.org`. */
export function initials(name: string): string {
  const words = (name.split('@')[0] ?? '').split(/[\s._-]+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends.map((word) => [...(word ?? '')][0]?.toUpperCase() ?? '').join('') || '?';
}

/** Who has which colour while the window runs. */
const taken = new Map<string, string>();

/**
 * Somebody's own colour, the same on every screen. It is drawn from the key;
 * where somebody else has that one already, the next free one is theirs.
 */
export function colour(key: string): string {
  const had = taken.get(key);
  if (had) return had;
  let hash = 2166136261;
  for (const char of key) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16777619) >>> 0;
  const first = ((hash ^ (hash >>> 18)) >>> 0) % COLOURS.length;
  const order = [...COLOURS.slice(first), ...COLOURS.slice(0, first)];
  const free = taken.size < COLOURS.length ? order.find((one) => ![...taken.values()].includes(one)) : undefined;
  const its = free ?? order[0] ?? '#17665f';
  if (taken.size < COLOURS.length) taken.set(key, its);
  return its;
}

/** The first name, as one speaks of somebody. */
export function firstName(name: string): string {
  return name.split('@')[0]?.split(' ')[0] ?? name;
}

/** `Pat`, `Pat and Sara`, `Pat and 3 others`. */
export function whom(people: Contact[]): string {
  const [first, second, ...others] = people.map((one) => one.name || one.address);
  if (others.length > 0) return `${first} and ${others.length + 1} others`;
  return [first, second].filter(Boolean).join(' and ');
}

/**
 * What somebody does now: `works until 19:00` by their own clock,
 * `focusing until 11:30` and `starts 14:00 your time` by the reader's.
 */
export function doing(state: PersonState, theirs: string | null, mine: string, now: number): string {
  switch (state.state) {
    case 'works':
      return `works until ${clock(state.until, theirs ?? mine)}`;
    case 'focusing':
      return state.until ? `focusing until ${moment(state.until, mine, now)}` : 'focusing';
    case 'starts':
      return `starts ${moment(state.at, mine, now)}${theirs && theirs !== mine ? ' your time' : ''}`;
    case 'away': {
      const zone = theirs ?? mine;
      return `away until ${dayName(day(state.until, zone), day(now, zone))}`;
    }
    case 'unknown':
      return 'keeps no hours';
  }
}
