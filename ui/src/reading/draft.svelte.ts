/** What is being typed, kept by the engine as it is typed. */
import { call, type ItemId } from '../host';
import { complain } from '../parts/toasts.svelte';

const PAUSE = 400;

export class Draft {
  text = $state('');
  readonly item: ItemId | null;
  #kept: string;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(item: ItemId | null, kept: string | null) {
    this.item = item;
    this.#kept = kept ?? '';
    this.text = this.#kept;
  }

  /** After every change of the text. */
  touched(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.keep(), PAUSE);
  }

  /** Keeps what is there now. */
  async keep(): Promise<void> {
    clearTimeout(this.#timer);
    const text = this.text;
    if (text === this.#kept) return;
    this.#kept = text;
    try {
      await call('save_draft', { item: this.item, text });
    } catch (thrown) {
      this.#kept = '';
      complain(thrown);
    }
  }

  /** It was sent: nothing is left to keep. */
  sent(): void {
    clearTimeout(this.#timer);
    this.text = '';
    this.#kept = '';
  }

  /** The engine has another text (a sent one taken back); typing wins over it. */
  adopt(kept: string | null): void {
    if (this.text !== '' || !kept) return;
    this.text = kept;
    this.#kept = kept;
  }
}
