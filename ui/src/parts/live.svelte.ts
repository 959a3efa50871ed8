/** What is shown, kept fresh: a fetch that runs again when the engine says it is stale. */
import { untrack } from 'svelte';
import { toFailure, type Event, type Failure, type Tag } from '../host';

type Topic = Tag['tag'];
type Listener = (tags: Tag[]) => void;

const listeners = new Set<Listener>();

/** Hands an event's tags to whatever shows them. */
export function announce(event: Event): void {
  if (event.event === 'changed') for (const listener of [...listeners]) listener(event.tags);
}

/** Runs `then` when one of the topics is stale; for `item`, when it is that item. */
export function whenStale(topics: Topic[], then: () => void, item?: () => string | null): () => void {
  const listener: Listener = (tags) => {
    const concerned = tags.some(
      (tag) => topics.includes(tag.tag) && (tag.tag !== 'item' || !item || tag.id === item()),
    );
    if (concerned) then();
  };
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The last answer of a fetch, and how the newest attempt went. */
export class Live<T> {
  value = $state.raw<T>();
  failure = $state.raw<Failure>();
  #fetch: () => Promise<T>;
  #turn = 0;
  #flying = false;
  #again = false;

  constructor(fetch: () => Promise<T>) {
    this.#fetch = fetch;
  }

  /** Fetches now; an older answer that is still on its way is dropped. */
  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    this.#flying = true;
    this.#again = false;
    try {
      const value = await this.#fetch();
      if (turn !== this.#turn) return;
      this.value = value;
      this.failure = undefined;
    } catch (thrown) {
      if (turn !== this.#turn) return;
      this.failure = toFailure(thrown);
    }
    this.#flying = false;
    if (this.#again) await this.refresh();
  }

  /** Fetches soon; a burst of events costs two fetches, not one each. */
  stale(): void {
    if (this.#flying) this.#again = true;
    else void this.refresh();
  }
}

/** A `Live` that belongs to the component: fetched again as its inputs change. */
export function live<T>(fetch: () => Promise<T>, topics: Topic[], item?: () => string | null): Live<T> {
  const one = new Live(fetch);
  $effect(() => {
    void one.refresh();
    return untrack(() => whenStale(topics, () => one.stale(), item));
  });
  return one;
}
