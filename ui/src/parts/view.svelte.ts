/** Where we are: the page, what is open, what lies on top. State of the window only. */
import type { ItemId, LinkTarget, PersonId, View } from '../host';

export type Page = 'list' | 'search' | 'team' | 'settings';
export type Section = 'hours' | 'focus' | 'accounts' | 'team' | 'devices' | 'notifications' | 'appearance' | 'keys' | 'refused';
export type Overlay =
  | { kind: 'help' }
  | { kind: 'palette' }
  | { kind: 'compose'; asked: PersonId[] }
  | { kind: 'snooze'; ids: ItemId[] }
  | { kind: 'join'; link: string }
  | { kind: 'link'; link: LinkTarget };

class Where {
  page = $state<Page>('list');
  /** Which list. */
  list = $state<View>('inbox');
  section = $state<Section>('hours');
  /** The conversation in the reading pane. */
  open = $state<ItemId | null>(null);
  overlay = $state.raw<Overlay | null>(null);
  /** The reading pane lies over the list. */
  narrow = $state(false);
  /** There are words in the answer under what is open. */
  answering = $state(false);

  /** Somebody is in the middle of something, and the list stays as it is. */
  get busy(): boolean {
    return this.page !== 'list' || this.overlay !== null || this.answering;
  }
}

export const where = new Where();

export function showList(list: View): void {
  if (where.page !== 'list' || where.list !== list) where.open = null;
  where.page = 'list';
  where.list = list;
}

export function showPage(page: Page): void {
  where.page = page;
}

export function showSettings(section: Section): void {
  where.section = section;
  where.page = 'settings';
}

export function lay(overlay: Overlay): void {
  where.overlay = overlay;
}

export function liftOverlay(): void {
  where.overlay = null;
}
