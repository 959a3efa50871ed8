/** What is done to items, from the keys, the list and the reading pane alike. */
import { call, type Action, type ItemId, type Row } from '../host';
import { restore } from '../parts/restore';
import { complain, dropUndo, say } from '../parts/toasts.svelte';
import { where } from '../parts/view.svelte';
import { rows } from './rows.svelte';

/** Changes items: shown at once, then asked of the engine, undoable. */
export async function triage(ids: ItemId[], action: Action): Promise<void> {
  if (ids.length === 0) return;
  foresee(ids, action);
  try {
    await ask(ids, action);
  } catch (thrown) {
    complain(thrown);
    await rows.refresh();
  }
}

/** Puts items off until a time in words; throws where the words mean none. */
export function snoozeFor(ids: ItemId[], words: string): Promise<void> {
  return ask(ids, { do: 'snooze_for', words });
}

async function ask(ids: ItemId[], action: Action): Promise<void> {
  const done = await call('triage', { ids, action });
  // Reading is seen in the list, and is no step to take back.
  if (action.do !== 'read' && action.do !== 'unread') say(done.what, done.unchanged ? undefined : done);
}

/** Takes the last change back and shows what came back. */
export async function undo(): Promise<void> {
  dropUndo();
  try {
    const undone = await call('undo', {});
    say(undone.said);
    restore(undone.what);
    await rows.refresh();
    const index = undone.item ? rows.find(undone.item) : -1;
    if (index < 0) return;
    // What is read follows, as it does when the cursor moves.
    if (where.open && where.page === 'list' && !where.narrow) open(index);
    else rows.cursor = index;
  } catch (thrown) {
    complain(thrown);
  }
}

/** Opens a row in the reading pane. */
export function open(index: number): void {
  rows.cursor = index;
  const row = rows.at(index);
  if (row) where.open = row.id;
}

/** Gives the list the focus, unless something on top has it. */
export function focusList(): void {
  if (where.overlay === null) document.querySelector<HTMLElement>('[role="grid"]')?.focus({ preventScroll: true });
}

/** Moves the cursor; an open reading pane beside the list follows. */
export function step(by: number): void {
  rows.move(by);
  if (where.open && !where.narrow) open(rows.cursor);
}

function foresee(ids: ItemId[], action: Action): void {
  if (leaves(action)) {
    const wasOpen = where.open !== null && ids.includes(where.open);
    rows.take(ids);
    if (!wasOpen) return;
    // What was found stays where it is.
    if (where.page === 'search' && !where.narrow) return;
    const next = rows.current;
    where.open = where.narrow || !next || where.page !== 'list' ? null : next.id;
    return;
  }
  const change = patch(action);
  if (change) rows.patch(ids, change);
}

/** Whether the items leave the list that is shown. */
function leaves(action: Action): boolean {
  switch (action.do) {
    case 'done':
      return rows.view !== 'done';
    case 'not_done':
      return rows.view === 'done';
    case 'snooze':
      return rows.view !== 'later';
    default:
      return false;
  }
}

function patch(action: Action): Partial<Row> | null {
  switch (action.do) {
    case 'read':
      return { unread: false };
    case 'unread':
      return { unread: true };
    case 'mute':
      return { muted: true };
    case 'unmute':
      return { muted: false };
    case 'urgency':
      return { urgency: action.urgency };
    default:
      return null;
  }
}

/** A conversation was closed together with its answer. */
export function foreseeDone(id: ItemId): void {
  foresee([id], { do: 'done' });
}
