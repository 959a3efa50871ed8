/** What the palette offers for some words. */
import { KEYS, type CommandId } from '../parts/keys';
import { showPage, showSettings, type Section } from '../parts/view.svelte';
import { search } from '../search/search.svelte';
import { run } from './commands';

export interface Entry {
  title: string;
  /** The key that does the same. */
  press?: string;
  run: () => void;
}

const HIDDEN = new Set<CommandId>(['palette', 'next', 'previous', 'open', 'close']);
const SECTIONS: Array<[Section, string]> = [
  ['hours', 'Settings: working hours, time zone, time off'],
  ['focus', 'Settings: focus, who may interrupt'],
  ['accounts', 'Settings: accounts, add a mailbox or feed'],
  ['team', 'Settings: team, join with a link, members'],
  ['devices', 'Settings: devices, signing in, passwords'],
  ['notifications', 'Settings: notifications, autostart'],
  ['appearance', 'Settings: appearance, light and dark'],
  ['keys', 'Settings: keys'],
  ['refused', 'Settings: refused changes'],
];

const ALL: Entry[] = [
  ...KEYS.filter((key) => !HIDDEN.has(key.id)).map((key) => ({
    title: key.id.startsWith('go_') ? `Go to ${key.title}` : key.title,
    press: key.presses[0] ?? '',
    run: () => run(key.id),
  })),
  ...SECTIONS.map(([section, title]) => ({ title, run: () => showSettings(section) })),
];

/** Entries that hold all the words, those that begin with them first; at last a search for the words. */
export function entries(typed: string): Entry[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = ALL.filter((entry) => words.every((word) => entry.title.toLowerCase().includes(word)));
  const first = words[0] ?? '';
  const begins = (entry: Entry) => entry.title.toLowerCase().startsWith(first);
  const found = [...holds.filter(begins), ...holds.filter((entry) => !begins(entry))];
  return words.length === 0 ? found : [...found, { title: `Search for “${typed.trim()}”`, run: () => look(typed) }];
}

function look(words: string): void {
  search.words = words;
  void search.run();
  showPage('search');
}
