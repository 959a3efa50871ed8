/**
 * The host without an engine. Stands in for `../tauri.ts` in tests and in
 * `vite --mode demo`, where `?scene=` chooses what happens; it is never part
 * of what is shipped.
 */
import type { Attached, Commands, Event, ItemId } from '../bindings';
import type { LinkTarget } from '../link';
import { Memory, type Scene } from './host';

let host = new Memory((new URLSearchParams(globalThis.location?.search).get('scene') ?? 'day') as Scene);

/** Begins anew, for a test. */
export function reset(scene: Scene = 'day'): Memory {
  return use(new Memory(scene));
}

/** Goes on with what there was, for a test that loads everything else anew. */
export function use(other: Memory): Memory {
  return (host = other);
}

export function call<K extends keyof Commands>(name: K, args: Commands[K]['args']): Promise<Commands[K]['reply']> {
  return host.call(name, args);
}

export function attachFile(item: ItemId | null, file: File): Promise<Attached> {
  return host.attachFile(item, file);
}

export function listen(hear: (event: Event) => void): () => void {
  return host.listen(hear);
}

export function lookAtLink(url: string): Promise<LinkTarget> {
  return host.lookAtLink(url);
}

export function openLink(url: string): Promise<void> {
  return host.openLink(url);
}

export function now(): number {
  return host.now();
}
