/** Conversations in which an answer is on its way to the engine. */
import { SvelteSet } from 'svelte/reactivity';
import type { ItemId } from '../host';

const busy = new SvelteSet<ItemId>();

export function sendingIn(id: ItemId): boolean {
  return busy.has(id);
}

/** Marks the conversation while something runs. */
export async function whileSending<T>(id: ItemId, run: () => Promise<T>): Promise<T> {
  busy.add(id);
  try {
    return await run();
  } finally {
    busy.delete(id);
  }
}
