/** Every key of the window, and how a key press is recognised. What they do is in `app/commands.ts`. */

export type CommandId =
  | 'next' | 'previous' | 'open' | 'close'
  | 'done' | 'snooze' | 'unread' | 'mute' | 'red' | 'yellow' | 'green' | 'choose' | 'undo'
  | 'reply' | 'compose' | 'search' | 'focus' | 'help' | 'palette'
  | 'go_inbox' | 'go_waiting' | 'go_later' | 'go_done' | 'go_team' | 'go_settings'
  | 'larger' | 'smaller' | 'usual_size';

export interface Key {
  id: CommandId;
  title: string;
  group: 'Move' | 'Triage' | 'Write' | 'Go to' | 'Size';
  /** Presses that run it: `j`, `g i` (one after the other), `mod+k` (Ctrl, or Cmd on a Mac). */
  presses: string[];
  /** Acts again and again while it is held down; the others act once. */
  repeats?: true;
}

export const KEYS: Key[] = [
  { id: 'next', title: 'Next', group: 'Move', presses: ['j', 'ArrowDown'], repeats: true },
  { id: 'previous', title: 'Previous', group: 'Move', presses: ['k', 'ArrowUp'], repeats: true },
  { id: 'open', title: 'Open', group: 'Move', presses: ['Enter', 'o'] },
  { id: 'close', title: 'Close, go back', group: 'Move', presses: ['Escape'] },
  { id: 'done', title: 'Done', group: 'Triage', presses: ['e'] },
  { id: 'snooze', title: 'Later', group: 'Triage', presses: ['h'] },
  { id: 'unread', title: 'Unread', group: 'Triage', presses: ['u'] },
  { id: 'mute', title: 'Mute', group: 'Triage', presses: ['m'] },
  { id: 'red', title: 'Urgent', group: 'Triage', presses: ['1'] },
  { id: 'yellow', title: 'Standard', group: 'Triage', presses: ['2'] },
  { id: 'green', title: 'For information', group: 'Triage', presses: ['3'] },
  { id: 'choose', title: 'Choose several', group: 'Triage', presses: ['x'] },
  { id: 'undo', title: 'Undo', group: 'Triage', presses: ['z', 'mod+z'] },
  { id: 'reply', title: 'Reply', group: 'Write', presses: ['r'] },
  { id: 'compose', title: 'New thread', group: 'Write', presses: ['c'] },
  { id: 'search', title: 'Search', group: 'Go to', presses: ['/', 'mod+f'] },
  { id: 'focus', title: 'Start or end focus', group: 'Write', presses: ['f'] },
  { id: 'go_inbox', title: 'Inbox', group: 'Go to', presses: ['g i'] },
  { id: 'go_waiting', title: 'Waiting', group: 'Go to', presses: ['g w'] },
  { id: 'go_later', title: 'Later', group: 'Go to', presses: ['g l'] },
  { id: 'go_done', title: 'Done', group: 'Go to', presses: ['g d'] },
  { id: 'go_team', title: 'People', group: 'Go to', presses: ['g t', 'g p'] },
  { id: 'go_settings', title: 'Settings', group: 'Go to', presses: ['g s', 'mod+,'] },
  { id: 'palette', title: 'Everything by name', group: 'Go to', presses: ['mod+k'] },
  { id: 'larger', title: 'Larger', group: 'Size', presses: ['mod++', 'mod+='], repeats: true },
  { id: 'smaller', title: 'Smaller', group: 'Size', presses: ['mod+-'], repeats: true },
  { id: 'usual_size', title: 'Usual size', group: 'Size', presses: ['mod+0'] },
  { id: 'help', title: 'All keys', group: 'Go to', presses: ['?'] },
];

/** Whether a press is one printed character: those can be switched off. */
export function isLetter(press: string): boolean {
  return press.split(' ').every((part) => part.length === 1);
}

/** A press as it is written on keys: `Ctrl K`, `G I`. */
export function written(press: string, mac = /Mac/.test(navigator.platform)): string {
  const NAMES: Record<string, string> = { ArrowDown: '↓', ArrowUp: '↑', Escape: 'Esc' };
  return press
    .split(/ |\+(?=.)/)
    .map((part) => (part === 'mod' ? (mac ? '⌘' : 'Ctrl') : (NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part))))
    .join(' ');
}

/** What a keyboard event is called in `presses`. */
export function pressOf(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey'>): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return event.ctrlKey || event.metaKey ? `mod+${key}` : key;
}

/** The key of a single press, whatever came before it. */
export function keyOf(press: string): Key | undefined {
  return KEYS.find((key) => key.presses.includes(press));
}

/** Recognises presses, also two in a row; the second within a moment of the first. */
export class Recogniser {
  static readonly PATIENCE = 1_500;
  #first = '';
  #since = 0;

  /** The command of this press, if it completes one. `letters`: single letters act. */
  press(press: string, at: number, letters: boolean): CommandId | null {
    const before = at - this.#since <= Recogniser.PATIENCE ? this.#first : '';
    this.#first = '';
    const both = before ? `${before} ${press}` : press;
    const found = keyOf(both) ?? (before ? keyOf(press) : undefined);
    const matched = found?.presses.includes(both) ? both : press;
    if (found) return letters || !isLetter(matched) ? found.id : null;
    if (KEYS.some((key) => key.presses.some((p) => p.startsWith(`${press} `)))) {
      this.#first = press;
      this.#since = at;
    }
    return null;
  }
}

/** Whether the event's target is being typed into. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}
