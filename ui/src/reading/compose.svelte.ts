/** The thread being written: it survives closing the dialog, the window and the app. */
import { call, type Deliver, type PersonId, type ThreadDraft, type Urgency } from '../host';
import { time } from '../parts/clock.svelte';
import { millis } from '../parts/time';
import { Draft } from './draft.svelte';
import { Files } from './files.svelte';

const NEW: ThreadDraft = { title: '', urgency: 'yellow', asked: [], space: '', private: false, deliver: { when: 'when_they_start' } };

class Thread {
  title = $state('');
  urgency = $state<Urgency>('yellow');
  asked = $state<PersonId[]>([]);
  space = $state('');
  /** For those who are asked alone; without anybody asked it means nothing. */
  only = $state(false);
  deliver = $state<Deliver>({ when: 'when_they_start' });
  readonly draft = new Draft(null, null, () => ({ thread: this.chosen }));
  readonly files = new Files(null, []);
  /** What the engine kept of it is here. */
  known = $state(false);

  get text(): string {
    return this.draft.text;
  }

  /** Everything but the text. */
  get chosen(): ThreadDraft {
    const { title, urgency, asked, space, only, deliver } = this;
    return $state.snapshot({ title, urgency, asked, space, private: only, deliver });
  }

  /** Something urgent goes out at once, everything else when they start; another choice stays. */
  press(urgency: Urgency): void {
    const usual = (of: Urgency): Deliver => ({ when: of === 'red' ? 'now' : 'when_they_start' });
    if (this.deliver.when === usual(this.urgency).when) this.deliver = usual(urgency);
    this.urgency = urgency;
  }

  /** What still keeps it from being sent. */
  get missing(): string | null {
    if (!this.title.trim()) return 'It needs a title.';
    if (this.urgency === 'red' && this.asked.length === 0) return 'Something urgent must name who should answer.';
    return null;
  }

  /** Takes what the engine has of it: after a restart, or when a thread was taken back. */
  async restore(): Promise<void> {
    try {
      const { text, thread, files } = await call('draft', { item: null });
      if (thread && JSON.stringify(this.chosen) === JSON.stringify(NEW)) this.#take(thread);
      this.draft.adopt(text);
      this.files.adopt(files);
    } finally {
      this.known = true;
    }
  }

  /** It was sent. */
  clear(): void {
    this.#take(NEW);
    this.draft.sent();
    this.files.sent();
  }

  #take(thread: ThreadDraft): void {
    const { private: only, deliver, ...rest } = structuredClone(thread);
    const over = deliver.when === 'at' && millis(deliver.at) <= time.now;
    Object.assign(this, rest, { only, deliver: over ? NEW.deliver : deliver });
  }
}

export const thread = new Thread();
