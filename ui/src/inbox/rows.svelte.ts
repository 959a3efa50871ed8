/**
 * A list of any length, of which only windows are fetched. Row indexes count
 * rows; entry indexes count rows and headings, as they are drawn.
 */
import { SvelteSet } from 'svelte/reactivity';
import { call, toFailure, type Failure, type GroupCount, type InboxPage, type ItemId, type Row, type View } from '../host';
import { where } from '../parts/view.svelte';

const CHUNK = 100;
/** Rows beyond the visible ones that are fetched with them. */
const MARGIN = 50;

export type Entry = { kind: 'heading'; group: GroupCount } | { kind: 'row'; index: number };

export class Rows {
  view = $state<View>('inbox');
  total = $state(0);
  groups = $state.raw<GroupCount[]>([]);
  failure = $state.raw<Failure>();
  /** The first window of this view has arrived. */
  ready = $state(false);
  /** The row the keys act on. */
  cursor = $state(0);
  readonly chosen = new SvelteSet<ItemId>();
  /** Grows each time the list is to be shown from its top. */
  topped = $state(0);
  /** Grows with every change of a row: what reads a row depends on it. */
  #version = $state(0);
  #rows: Array<Row | undefined> = [];
  #visible = { first: 0, last: 30 };
  #epoch = 0;
  #flying = new Set<number>();
  #refreshing: Promise<void> | null = null;
  #again = false;
  /** Rows taken out before the engine has said so. */
  #taken = 0;
  /** Since when the block ran whose held rows were shown last. */
  #handed: string | undefined;

  /** Shows another list from its top. */
  async show(view: View): Promise<void> {
    this.#reset();
    this.view = view;
    await this.refresh();
  }

  #reset(): void {
    this.#epoch++;
    this.#rows = [];
    this.#visible = { first: 0, last: 30 };
    this.#flying.clear();
    this.#refreshing = null;
    this.total = 0;
    this.groups = [];
    this.cursor = 0;
    this.ready = false;
    this.failure = undefined;
    this.chosen.clear();
    this.#version++;
  }

  at(index: number): Row | undefined {
    void this.#version;
    return this.#rows[index];
  }

  /** The row the keys act on. */
  get current(): Row | undefined {
    return this.at(this.cursor);
  }

  /** What triage acts on: the chosen rows, else the one under the cursor. */
  get targets(): ItemId[] {
    if (this.chosen.size > 0) return [...this.chosen];
    return this.current ? [this.current.id] : [];
  }

  get entries(): number {
    return this.total + this.groups.length;
  }

  entry(index: number): Entry {
    let left = index;
    let before = 0;
    for (const group of this.groups) {
      if (left === 0) return { kind: 'heading', group };
      if (left <= group.count) return { kind: 'row', index: before + left - 1 };
      left -= group.count + 1;
      before += group.count;
    }
    return { kind: 'row', index: before + left };
  }

  /** Where a row is drawn. */
  entryOf(row: number): number {
    let before = 0;
    let headings = 0;
    for (const group of this.groups) {
      headings++;
      if (row < before + group.count) return row + headings;
      before += group.count;
    }
    return row + headings;
  }

  find(id: ItemId): number {
    // Only rows that were fetched are gone through, not the holes between.
    const rows = this.#rows;
    for (const at in rows) if (rows[at]?.id === id) return Number(at);
    return -1;
  }

  /** Says which entries are on the screen, so that their rows are fetched. */
  see(firstEntry: number, lastEntry: number): void {
    const row = (entry: number) => {
      const found = this.entry(Math.max(0, entry));
      return found.kind === 'row' ? found.index : this.#firstOf(found.group);
    };
    this.#visible = { first: row(firstEntry), last: row(lastEntry) };
    void this.#fill();
  }

  #firstOf(group: GroupCount): number {
    return this.groups.slice(0, this.groups.indexOf(group)).reduce((sum, g) => sum + g.count, 0);
  }

  /** Fetches the visible window again; what is off the screen, when it is seen. */
  refresh(): Promise<void> {
    // One that runs already fetches once more, and answers for both.
    if (this.#refreshing) this.#again = true;
    else this.#refreshing = this.#fetchVisible();
    return this.#refreshing;
  }

  async #fetchVisible(): Promise<void> {
    const epoch = this.#epoch;
    const offset = Math.max(0, this.#visible.first - MARGIN);
    const limit = Math.min(500, this.#visible.last - offset + MARGIN);
    do {
      this.#again = false;
      this.#taken = 0;
      try {
        const page = await call('inbox', { view: this.view, offset, limit });
        if (epoch !== this.#epoch) return;
        // A row was taken out while this page was on its way: it is older
        // than what is shown.
        if (this.#taken > 0) this.#again = true;
        else this.#replace(page);
      } catch (thrown) {
        if (epoch !== this.#epoch) return;
        this.failure = toFailure(thrown);
        this.ready = true;
      }
    } while (this.#again);
    this.#refreshing = null;
    void this.#fill();
  }

  #replace(page: InboxPage): void {
    const held = this.current?.id;
    this.#put(page);
    this.failure = undefined;
    this.ready = true;
    const still = held === undefined ? -1 : this.find(held);
    if (still >= 0) this.cursor = still;
    this.cursor = Math.max(0, Math.min(this.cursor, this.total - 1));
    for (const id of this.chosen) {
      if (page.total <= page.rows.length && this.find(id) < 0) this.chosen.delete(id);
    }
    if (this.#handsOver(page) && !where.busy && this.chosen.size === 0) this.#top();
  }

  /** A block ended, and what it held is here for the first time. */
  #handsOver(page: InboxPage): boolean {
    const since = page.groups.find((group) => group.group === 'held')?.held?.start;
    if (since === undefined || since === this.#handed) return false;
    this.#handed = since;
    return true;
  }

  #top(): void {
    this.cursor = 0;
    this.#visible = { first: 0, last: this.#visible.last - this.#visible.first };
    this.topped++;
  }

  #put(page: InboxPage): void {
    this.#flying.clear();
    this.#rows = new Array<Row | undefined>(page.total);
    this.total = page.total;
    this.groups = page.groups;
    page.rows.forEach((row, i) => (this.#rows[page.offset + i] = row));
    this.#version++;
  }

  /** Fetches the chunks of the visible window that are missing. */
  async #fill(): Promise<void> {
    if (!this.ready || this.#refreshing) return;
    const last = Math.min(this.#visible.last + MARGIN, this.total - 1);
    const chunks = new Set<number>();
    for (let i = Math.max(0, this.#visible.first - MARGIN); i <= last; i++) {
      if (!this.#rows[i]) chunks.add(Math.floor(i / CHUNK));
    }
    await Promise.all([...chunks].filter((c) => !this.#flying.has(c)).map((c) => this.#load(c)));
  }

  async #load(chunk: number): Promise<void> {
    const epoch = this.#epoch;
    const before = this.#rows;
    this.#flying.add(chunk);
    try {
      const page = await call('inbox', { view: this.view, offset: chunk * CHUNK, limit: CHUNK });
      if (epoch !== this.#epoch || before !== this.#rows) return;
      if (page.total !== this.total) {
        void this.refresh();
        return;
      }
      page.rows.forEach((row, i) => (this.#rows[page.offset + i] = row));
      this.#version++;
    } catch (thrown) {
      if (epoch === this.#epoch) this.failure = toFailure(thrown);
    } finally {
      this.#flying.delete(chunk);
    }
  }

  /** Takes rows out at once; the engine's answer follows. */
  take(ids: ItemId[]): void {
    this.#taken++;
    for (const id of ids) {
      this.chosen.delete(id);
      const index = this.find(id);
      if (index < 0) continue;
      this.#rows.splice(index, 1);
      this.total--;
      this.#shrink(index);
      if (index < this.cursor) this.cursor--;
    }
    // A new identity, so that chunks on their way do not land displaced.
    this.#rows = this.#rows.slice();
    this.cursor = Math.max(0, Math.min(this.cursor, this.total - 1));
    this.#version++;
  }

  #shrink(index: number): void {
    let before = 0;
    this.groups = this.groups
      .map((group) => {
        const inside = index >= before && index < before + group.count;
        before += group.count;
        return inside ? { ...group, count: group.count - 1 } : group;
      })
      .filter((group) => group.count > 0);
  }

  /** Changes rows at once; the engine's answer follows. */
  patch(ids: ItemId[], change: Partial<Row>): void {
    for (const id of ids) {
      const index = this.find(id);
      const row = this.#rows[index];
      if (row) this.#rows[index] = { ...row, ...change };
    }
    this.#version++;
  }

  move(by: number): void {
    this.cursor = Math.max(0, Math.min(this.cursor + by, this.total - 1));
  }

  /** Chooses or leaves out a row; with `through`, all from the cursor to it. */
  choose(index: number, through = false): void {
    const [from, to] = through ? [Math.min(this.cursor, index), Math.max(this.cursor, index)] : [index, index];
    for (let i = from; i <= to; i++) {
      const id = this.#rows[i]?.id;
      if (id === undefined) continue;
      if (!through && this.chosen.has(id)) this.chosen.delete(id);
      else this.chosen.add(id);
    }
    this.cursor = index;
  }
}

export const rows = new Rows();
