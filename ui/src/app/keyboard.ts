/** Key presses of the window, turned into commands. Never while somebody types. */
import { now } from '../host';
import { isTyping, keyOf, pressOf, Recogniser } from '../parts/keys';
import { me } from '../parts/me.svelte';
import { where } from '../parts/view.svelte';
import { run } from './commands';

/** Works while typing and over dialogs as well. */
const ALWAYS = new Set(['mod+k', 'mod++', 'mod+=', 'mod+-', 'mod+0']);
/** Acts on the focused control itself, where there is one. */
const OWN = new Set(['Enter', 'ArrowDown', 'ArrowUp']);

const recogniser = new Recogniser();

export function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  const press = pressOf(event);
  if (!ALWAYS.has(press) && (isTyping(event.target) || where.overlay !== null || inPopup(event.target))) return;
  if (OWN.has(press) && !forList(event.target)) return;
  if (event.repeat) {
    const key = keyOf(press);
    // Held down, one key would go through the whole list.
    if (key && !key.repeats) event.preventDefault();
    if (!key?.repeats) return;
  }
  const id = recogniser.press(press, now(), me.settings?.letter_keys !== false);
  if (!id) return;
  event.preventDefault();
  run(id);
}

/** Inside a menu, a popover or a dialog, which hear keys by themselves. */
function inPopup(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('[role="menu"], [role="dialog"], [role="listbox"], .menu') !== null;
}

/** The list, or nothing in particular, has the focus. */
function forList(target: EventTarget | null): boolean {
  return target === document.body || (target instanceof Element && target.closest('[role="grid"]') !== null && target.closest('button') === null);
}
