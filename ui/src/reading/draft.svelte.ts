/** What is being typed, kept by the engine as it is typed. */
import { call, type AnswerDraft, type ItemId, type ThreadDraft } from '../host';
import { complain } from '../parts/toasts.svelte';

/** A pause this long, in milliseconds, and what is there is kept. */
const PAUSE = 400;
/** What was typed waits no longer than this to be kept, however steadily somebody types. */
const LATEST = 1_000;

/** What else was chosen for what is typed; with null the engine's stays as it is. */
type Chosen = { thread: ThreadDraft } | { answer: AnswerDraft | null };

export class Draft {
  text = $state('');
  readonly item: ItemId | null;
  #chosen: (text: string) => Chosen;
  /** The text as the engine has it, and all of it. */
  #text: string;
  #all: string;
  #since: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<void> | undefined;

  constructor(item: ItemId | null, kept: string | null, chosen: (text: string) => Chosen = () => ({ answer: null })) {
    this.item = item;
    this.#chosen = chosen;
    this.text = this.#text = kept ?? '';
    this.#all = this.#content();
  }

  /** After every change of it. */
  touched(): void {
    clearTimeout(this.#timer);
    this.#since ??= Date.now();
    const left = this.#since + LATEST - Date.now();
    this.#timer = setTimeout(() => void this.keep(), Math.max(0, Math.min(PAUSE, left)));
  }

  /** Keeps what is there now; one after the other, so that the last one stays. */
  async keep(): Promise<void> {
    this.#rest();
    if (this.#saving) await this.#saving;
    if (this.#content() === this.#all) return;
    this.#saving = this.#save().finally(() => (this.#saving = undefined));
    return this.#saving;
  }

  /** Where it is written goes away: keeps it afterwards, since a teardown sees what was before, sent or not. */
  left(): void {
    queueMicrotask(() => void this.keep());
  }

  /** It was sent: nothing is left to keep. */
  sent(): void {
    this.#rest();
    this.text = this.#text = '';
    this.#all = this.#content();
  }

  /** The engine has more than it was given (something sent was taken back): that goes before what is typed. */
  adopt(kept: string | null): void {
    if (!kept || kept === this.#text || !kept.endsWith(this.#text)) return;
    const before = kept.slice(0, kept.length - this.#text.length);
    this.text = this.#text || !this.text ? before + this.text : `${before}\n\n${this.text}`;
    this.#text = kept;
    if (this.text === kept) this.#all = this.#content();
    else this.touched();
  }

  #content(): string {
    return JSON.stringify([this.text, this.#chosen(this.text)]);
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#since = undefined;
  }

  async #save(): Promise<void> {
    const [text, chosen] = [this.text, this.#chosen(this.text)];
    this.#text = text;
    this.#all = this.#content();
    try {
      await call('save_draft', { item: this.item, text, thread: null, answer: null, ...chosen });
    } catch (thrown) {
      this.#all = '';
      complain(thrown);
    }
  }
}
