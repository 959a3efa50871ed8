/** The choices of when something is delivered, with their times. */
import type { Deliver, Recipient } from '../host';
import { addDays, city, day, instant, millis, moment, weekday } from '../parts/time';

export interface Choice {
  deliver: Deliver;
  label: string;
  /** The resolved time, in the sender's zone. */
  at: string;
}

/** Somebody reads it now, so that holding it back would change nothing. */
export function someoneWorks(recipients: Recipient[]): boolean {
  return recipients.some((r) => r.state.state === 'works' || r.state.state === 'focusing');
}

/** The first start among those who don't work now. */
export function firstStart(recipients: Recipient[]): string | null {
  const starts = recipients.map((r) => r.starts).filter((s) => s !== null);
  return starts.sort((a, b) => millis(a) - millis(b))[0] ?? null;
}

/** What the send button offers. Times that are past or said twice are left out. */
export function choices(recipients: Recipient[], zone: string, now: number): Choice[] {
  const start = firstStart(recipients);
  const list: Choice[] = [];
  if (start && !someoneWorks(recipients)) {
    list.push({ deliver: { when: 'when_they_start' }, label: 'When they start', at: moment(start, zone, now) });
  }
  list.push({ deliver: { when: 'now' }, label: 'Now', at: '' });
  const theirs = recipients.find((r) => r.zone)?.zone ?? zone;
  const where = theirs === zone ? '' : ` in ${city(theirs)}`;
  const today = day(now, theirs);
  const tomorrow = addDays(today, 1);
  const monday = addDays(today, 7 - weekday(today));
  const fixed: Array<[string, string]> = [[tomorrow, `Tomorrow 09:00${where}`]];
  if (monday !== tomorrow) fixed.push([monday, `Monday 09:00${where}`]);
  for (const [on, label] of fixed) {
    const at = instant(on, '09:00', theirs);
    if (start && at.getTime() === millis(start) && list.length > 1) continue;
    list.push({ deliver: { when: 'at', at: at.toISOString() }, label, at: moment(at, zone, now) });
  }
  return list;
}
