/** A search as it is typed: the newest hits first, more as one scrolls. */
import { call, toFailure, type Failure, type Hit } from '../host';

const PAGE = 50;
/** Hits the engine gives at once. */
const MOST = 200;
const PAUSE = 80;

export class Search {
  words = $state('');
  hits = $state.raw<Hit[]>([]);
  cursor = $state(0);
  failure = $state.raw<Failure>();
  /** The words that `hits` answers. */
  answered = $state('');
  /** Grows each time somebody wants to type words. */
  wanted = $state(0);
  #next: number | null = null;
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** After every change of the words. */
  typed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.run(), PAUSE);
  }

  /** Looks for the words now. */
  async run(): Promise<void> {
    clearTimeout(this.#timer);
    const words = this.words.trim();
    const turn = ++this.#turn;
    if (!words) {
      this.#show([], null, '');
      return;
    }
    try {
      const page = await call('search', { words, before: null, limit: PAGE });
      if (turn === this.#turn) this.#show(page.hits, page.next, words);
    } catch (thrown) {
      if (turn === this.#turn) this.failure = toFailure(thrown);
    }
  }

  /** The same again, as it is now: the cursor stays on its message. */
  async refresh(): Promise<void> {
    if (!this.answered || this.words.trim() !== this.answered) return;
    const turn = this.#turn;
    const before = this.hits.length;
    try {
      const page = await call('search', { words: this.answered, before: null, limit: Math.min(MOST, Math.max(PAGE, before)) });
      // Meanwhile something else was looked for, or more was fetched.
      if (turn !== this.#turn || before !== this.hits.length || page.hits.length < Math.min(before, MOST)) return;
      const held = this.current;
      this.hits = [...page.hits, ...this.hits.slice(page.hits.length)];
      const still = held ? this.hits.findIndex((hit) => hit.row.id === held.row.id && hit.at === held.at) : -1;
      if (still >= 0) this.cursor = still;
    } catch (thrown) {
      if (turn === this.#turn) this.failure = toFailure(thrown);
    }
  }

  /** Fetches the next page, if there is one. */
  async more(): Promise<void> {
    const before = this.#next;
    if (before === null) return;
    this.#next = null;
    const turn = this.#turn;
    try {
      const page = await call('search', { words: this.answered, before, limit: PAGE });
      if (turn !== this.#turn) return;
      this.hits = [...this.hits, ...page.hits];
      this.#next = page.next;
    } catch (thrown) {
      if (turn === this.#turn) this.failure = toFailure(thrown);
    }
  }

  move(by: number): void {
    this.cursor = Math.max(0, Math.min(this.cursor + by, this.hits.length - 1));
  }

  get current(): Hit | undefined {
    return this.hits[this.cursor];
  }

  #show(hits: Hit[], next: number | null, words: string): void {
    this.hits = hits;
    this.#next = next;
    this.answered = words;
    this.cursor = 0;
    this.failure = undefined;
  }
}

/** One for the window: what was looked for is still there when one comes back. */
export const search = new Search();
