/** The thread being written: it survives closing the dialog. */
import type { Deliver, PersonId, Urgency } from '../host';
import { Draft } from './draft.svelte';

class Thread {
  title = $state('');
  urgency = $state<Urgency>('yellow');
  asked = $state<PersonId[]>([]);
  space = $state('');
  /** For those who are asked alone; without anybody asked it means nothing. */
  only = $state(false);
  deliver = $state<Deliver>({ when: 'when_they_start' });
  readonly draft = new Draft(null, null);

  get text(): string {
    return this.draft.text;
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

  /** Empties it; the returned function puts everything back. */
  clear(): () => void {
    const { title, urgency, asked, space, only, deliver, text } = this;
    this.title = '';
    this.urgency = 'yellow';
    this.asked = [];
    this.space = '';
    this.only = false;
    this.deliver = { when: 'when_they_start' };
    this.draft.sent();
    return () => {
      Object.assign(this, { title, urgency, asked, space, only, deliver });
      this.draft.text = text;
    };
  }
}

export const thread = new Thread();
