/** Who I am and how I want things: fetched once, shared by every screen. */
import { call, type Settings, type Status } from '../host';
import { complain } from './toasts.svelte';
import { Live, whenStale } from './live.svelte';
import { city } from './time';

const status = new Live<Status>(() => call('status', {}));
const settings = new Live<Settings>(() => call('settings', {}));

export const me = {
  get status(): Status | undefined {
    return status.value;
  },
  get failure() {
    return status.failure;
  },
  get settings(): Settings | undefined {
    return settings.value;
  },
  /** The zone instants are shown in. */
  get zone(): string {
    return status.value?.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  },
  /** What that place is called: as I wrote it, else the zone's own city. */
  get place(): string {
    return status.value?.me?.city || city(this.zone);
  },
  refresh(): Promise<void> {
    return status.refresh();
  },
};

/** Fetches both, and keeps them fresh; returns what stops it. */
export function follow(): () => void {
  void status.refresh();
  void settings.refresh();
  const stops = [
    whenStale(['status', 'inbox', 'focus', 'accounts', 'settings'], () => status.stale()),
    whenStale(['settings'], () => settings.stale()),
  ];
  return () => stops.forEach((stop) => stop());
}

/** Changes some settings: shown at once, taken back if it fails. */
export async function change(some: Partial<Settings>): Promise<void> {
  const before = settings.value;
  if (!before) return;
  settings.value = { ...before, ...some };
  try {
    await call('set_settings', settings.value);
  } catch (thrown) {
    settings.value = before;
    complain(thrown);
  }
}
