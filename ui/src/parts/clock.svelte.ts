/** The time as the window shows it, moving on by itself. */
import { now } from '../host';

let tick = $state(now());

/** Milliseconds since 1970, renewed a few times a minute. */
export const time = {
  get now(): number {
    return tick;
  },
};

/** Starts the ticking; returns what stops it. */
export function run(): () => void {
  const renew = () => (tick = now());
  const timer = setInterval(renew, 10_000);
  document.addEventListener('visibilitychange', renew);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', renew);
  };
}
