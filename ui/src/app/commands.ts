/** What each key, and each entry of the palette, does. */
import type { Action, Row } from '../host';
import { toggle } from '../focus/focus';
import { rows } from '../inbox/rows.svelte';
import { focusList, open, step, triage, undo } from '../inbox/triage';
import type { CommandId } from '../parts/keys';
import { resize } from '../parts/zoom.svelte';
import { lay, showList, showPage, showSettings, where } from '../parts/view.svelte';
import { search } from '../search/search.svelte';

export function run(id: CommandId): void {
  switch (id) {
    case 'next':
      return move(1);
    case 'previous':
      return move(-1);
    case 'open':
      return openCurrent();
    case 'close':
      return close();
    case 'done':
      return act({ do: current()?.done ? 'not_done' : 'done' });
    case 'snooze': {
      const ids = targets();
      if (ids.length > 0) lay({ kind: 'snooze', ids });
      return;
    }
    case 'unread':
      return act({ do: 'unread' });
    case 'mute':
      return act({ do: current()?.muted ? 'unmute' : 'mute' });
    case 'red':
    case 'yellow':
    case 'green':
      return act({ do: 'urgency', urgency: id });
    case 'choose':
      if (where.page === 'list' && rows.current) rows.choose(rows.cursor);
      return;
    case 'undo':
      return void undo();
    case 'reply':
      return void reply();
    case 'compose':
      return lay({ kind: 'compose', asked: [] });
    case 'search':
      search.wanted++;
      return showPage('search');
    case 'focus':
      return void toggle();
    case 'help':
      return lay({ kind: 'help' });
    case 'palette':
      return lay({ kind: 'palette' });
    case 'go_inbox':
      return showList('inbox');
    case 'go_waiting':
      return showList('waiting');
    case 'go_later':
      return showList('later');
    case 'go_done':
      return showList('done');
    case 'go_team':
      return showPage('team');
    case 'go_settings':
      return showSettings(where.section);
    case 'larger':
      return resize(1);
    case 'smaller':
      return resize(-1);
    case 'usual_size':
      return resize(0);
  }
}

function move(by: number): void {
  if (where.page === 'list') {
    step(by);
    focusList();
  }
  if (where.page === 'search') {
    search.move(by);
    if (where.open && !where.narrow) openCurrent();
    focusList();
  }
}

/** The row that the triage keys act on. */
function current(): Row | undefined {
  if (where.page === 'search') return search.current?.row;
  return where.open && rows.chosen.size === 0 ? rows.at(rows.find(where.open)) : rows.current;
}

function openCurrent(): void {
  if (where.page === 'list') open(rows.cursor);
  if (where.page === 'search' && search.current) where.open = search.current.row.id;
}

/** One thing at a time: the choice, the reading pane over the list, the page. */
function close(): void {
  if (where.page === 'list' && rows.chosen.size > 0) rows.chosen.clear();
  else if (where.open && (where.narrow || where.page === 'list')) where.open = null;
  else if (where.page !== 'list') showList(where.list);
}

/** What the triage keys act on: the chosen rows, what is being read, or the cursor. */
function targets(): string[] {
  // A block that ends takes the cursor away from what is being read.
  if (where.page === 'list') return where.open && (where.narrow || rows.chosen.size === 0) ? [where.open] : rows.targets;
  if (where.page === 'search') return where.open ? [where.open] : search.current ? [search.current.row.id] : [];
  return [];
}

function act(action: Action): void {
  void triage(targets(), action);
}

/** Opens what is under the cursor and goes to its reply box, once that is there. */
async function reply(): Promise<void> {
  if (!where.open) openCurrent();
  const box = await present('[data-testid="reply-text"]');
  box?.focus();
  box?.scrollIntoView({ block: 'nearest' });
}

/** Waits up to a second for an element. */
async function present(selector: string): Promise<HTMLElement | null> {
  for (let frames = 0; frames < 60; frames++) {
    const found = document.querySelector<HTMLElement>(selector);
    if (found) return found;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  return null;
}
