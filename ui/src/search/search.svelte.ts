/** A search as it is typed: the newest hits first, more as one scrolls. */
import { call, toFailure, type Failure, type Hit } from '../host';

const PAGE = 50;
const PAUSE = 80;

export class Search {
  words = $state('');
  hits = $state.raw<Hit[]>([]);
  cursor = $state(0);
  failure = $state.raw<Failure>();
  /** The words that `hits` answers. */
  answered = $state('');
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
