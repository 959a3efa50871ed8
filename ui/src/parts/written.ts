/** What is said of something written: sent only once it is. */
import type { Connection, Undoable } from '../host';
import { whom } from './people';
import { spoken } from './time';

/** `line` is the connection it goes over, where that is the team's. */
export function written(done: Undoable, line: Connection | undefined, zone: string, now: number): string {
  const title = done.what.replace(/^Sent: /, '');
  const to = done.to?.length ? ` to ${whom(done.to)}` : '';
  switch (done.sending?.state) {
    case 'pending':
      return line && line.state !== 'live' && line.state !== 'connecting' ? `Will be sent when online: ${title}` : `Sending${to}: ${title}`;
    case 'scheduled':
      return `Will be delivered ${spoken(done.sending.at, zone, now)}: ${title}`;
    default:
      return to ? `Sent${to}: ${title}` : done.what;
  }
}
