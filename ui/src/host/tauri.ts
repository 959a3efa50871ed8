/** The host in the desktop app: Tauri's IPC and its events. */
import { invoke } from '@tauri-apps/api/core';
import { listen as listenTauri } from '@tauri-apps/api/event';
import type { Attached, Commands, Event, Failure, ItemId } from './bindings';
import { toFailure } from './failure';
import type { LinkTarget } from './link';

/** Runs one command. Throws a `Failure`. */
export async function call<K extends keyof Commands>(
  name: K,
  args: Commands[K]['args'],
): Promise<Commands[K]['reply']> {
  try {
    return await invoke<Commands[K]['reply']>('call', { name, args });
  } catch (thrown) {
    throw toFailure(thrown);
  }
}

/** Hears every event until the returned function is called. */
export function listen(hear: (event: Event) => void): () => void {
  const stop = listenTauri<Event>('meantime', (message) => hear(message.payload));
  return () => void stop.then((unlisten) => unlisten());
}

/** Where a link leads; throws a `Failure` for one that is not opened. */
export async function lookAtLink(url: string): Promise<LinkTarget> {
  try {
    return await invoke<LinkTarget>('look_at_link', { url });
  } catch (thrown) {
    throw toFailure(thrown);
  }
}

/** Asks the shell to open a link in the browser or the mail program. */
export async function openLink(url: string): Promise<void> {
  try {
    await invoke('open_link', { url });
  } catch (thrown) {
    throw toFailure(thrown);
  }
}

/**
 * Gives a file that the person chose or dropped to the engine, to go with what
 * is being written there. The window has its bytes from the person; where it
 * lies nobody tells it.
 */
export async function attachFile(item: ItemId | null, file: File): Promise<Attached> {
  const about = new URLSearchParams({ name: file.name, bytes: String(file.size), ...(item && { item }) });
  const bytes = await file.arrayBuffer().catch(() => {
    throw { code: 'invalid', message: `${file.name} can’t be read. If it is a folder, pack it into one file first.` } satisfies Failure;
  });
  try {
    return await invoke<Attached>('attach', new Uint8Array(bytes), { headers: { 'meantime-file': about.toString() } });
  } catch (thrown) {
    throw toFailure(thrown);
  }
}

/** Milliseconds since 1970. */
export function now(): number {
  return Date.now();
}
