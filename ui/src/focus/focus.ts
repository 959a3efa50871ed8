/** Starting, lengthening and ending a block, from wherever it is asked. */
import { call, type FocusStatus } from '../host';
import { me } from '../parts/me.svelte';
import { complain, say } from '../parts/toasts.svelte';
import { moment } from '../parts/time';
import { time } from '../parts/clock.svelte';

/** Starts a block of so many minutes; `null` runs until it is stopped. */
export async function start(minutes: number | null): Promise<void> {
  await attempt(() => call('focus_start', { minutes, extend: false }), begun);
}

/** Gives the running block more time. */
export async function extend(minutes: number): Promise<void> {
  await attempt(() => call('focus_start', { minutes, extend: true }));
}

export async function stop(): Promise<void> {
  await attempt(() => call('focus_stop', {}), () => say('Focus ended. What was held is on top of the list.'));
}

/** Starts a block of the usual length, or ends the running one. */
export async function toggle(): Promise<void> {
  if (me.status?.focus.block) await stop();
  else await attempt(() => call('focus_toggle', {}), begun);
}

function begun(status: FocusStatus): void {
  const until = status.block?.until;
  say(until ? `Focusing until ${moment(until, me.zone, time.now)}. Notifications wait.` : 'Focusing until you stop.');
}

async function attempt(run: () => Promise<FocusStatus>, then?: (status: FocusStatus) => void): Promise<void> {
  try {
    const status = await run();
    await me.refresh();
    then?.(status);
  } catch (thrown) {
    complain(thrown);
  }
}
