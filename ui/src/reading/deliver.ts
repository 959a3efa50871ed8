/** The choices of when something is delivered, with their times. */
import type { Deliver, Recipient } from '../host';
import { firstName } from '../parts/people';
import { addDays, city, day, instant, millis, moment, weekday } from '../parts/time';

export interface Choice {
  deliver: Deliver;
  label: string;
  /** The resolved time, in the sender's zone. */
  at: string;
}

/** Who does not start within this is away, not asleep; the engine has the same. */
const ONE_NIGHT = 16 * 3_600_000;

/**
 * When the next of those starts who don't work now, and who that is; null when
 * all of them work. Who is away for long keeps nobody waiting who is at work.
 */
export function start(recipients: Recipient[], now: number): { at: string; who: string | null } | null {
  const hours = recipients.filter((r) => r.zone !== null);
  const asleep = hours.filter((r) => r.starts !== null).toSorted((a, b) => millis(a.starts ?? 0) - millis(b.starts ?? 0));
  const next = asleep[0];
  if (!next?.starts) return null;
  if (asleep.length < hours.length && millis(next.starts) > now + ONE_NIGHT) return null;
  return { at: next.starts, who: recipients.length > 1 && asleep.length === 1 ? firstName(next.name) : null };
}

/** `when they start`, or who of several it is: `when Tomás starts`. */
export function whenStart({ who }: { who: string | null }): string {
  return who && who.length <= 12 ? `when ${who} starts` : 'when they start';
}

/** What the send button offers. Times that are past or said twice are left out. */
export function choices(recipients: Recipient[], zone: string, now: number): Choice[] {
  const next = start(recipients, now);
  const list: Choice[] = [];
  if (next) list.push({ deliver: { when: 'when_they_start' }, label: `W${whenStart(next).slice(1)}`, at: moment(next.at, zone, now) });
  list.push({ deliver: { when: 'now' }, label: 'Now', at: '' });
  const somebody = recipients.find((r) => r.zone);
  const theirs = somebody?.zone ?? zone;
  const where = theirs === zone ? '' : ` in ${somebody?.city || city(theirs)}`;
  const today = day(now, theirs);
  const tomorrow = addDays(today, 1);
  const monday = addDays(today, 7 - weekday(today));
  const fixed: Array<[string, string]> = [[tomorrow, `Tomorrow 09:00${where}`]];
  if (monday !== tomorrow) fixed.push([monday, `Monday 09:00${where}`]);
  for (const [on, label] of fixed) {
    const at = instant(on, '09:00', theirs);
    if (next && at.getTime() === millis(next.at)) continue;
    list.push({ deliver: { when: 'at', at: at.toISOString() }, label, at: moment(at, zone, now) });
  }
  return list;
}
