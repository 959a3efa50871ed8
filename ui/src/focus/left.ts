/** What is left of a block. */
import type { Block } from '../host';
import { millis } from '../parts/time';

/** From 1 at the start to 0 at the end; a block without an end is always whole. */
export function share(block: Block, now: number): number {
  if (!block.until) return 1;
  const whole = millis(block.until) - millis(block.since);
  return whole <= 0 ? 0 : Math.min(1, Math.max(0, (millis(block.until) - now) / whole));
}

/** Whole minutes left, counting the one that has begun; never more than the block has, whatever the clock says. */
export function minutes(block: Block, now: number): number | null {
  if (!block.until) return null;
  const until = millis(block.until);
  return Math.max(0, Math.ceil((until - Math.max(now, millis(block.since))) / 60_000));
}
