/** Short messages at the foot of the window. */
import { now, toFailure } from '../host';
import { millis } from './time';
import { sentence } from './words';

export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'bad';
  /** Offers to take it back. */
  undo: boolean;
}

const SHOWN = 6_000;
const SHOWN_BAD = 12_000;

let last = 0;
let list = $state<Toast[]>([]);
let room = $state.raw<HTMLElement | null>(null);

export const toasts = {
  get all(): Toast[] {
    return list;
  },
  /** Where the page has a place for them: beside rows, never over them. */
  get room(): HTMLElement | null {
    return room;
  },
};

/** An attachment: offers an element as their place as long as it is there. */
export function roomForToasts(place: HTMLElement): () => void {
  room = place;
  return () => {
    if (room === place) room = null;
  };
}

/** Says what was done; with `until`, offers undo as long as that works. */
export function say(text: string, undo?: { until: string | null }): void {
  const left = undo?.until ? millis(undo.until) - now() : SHOWN;
  // Only the newest change can be taken back: the one before loses its offer.
  if (undo) list = list.filter((t) => !t.undo);
  add({ text, tone: 'plain', undo: undo !== undefined }, Math.min(Math.max(left, 3_000), 30_000));
}

/** Says what went wrong. */
export function complain(thrown: unknown): void {
  add({ text: sentence(toFailure(thrown).message), tone: 'bad', undo: false }, SHOWN_BAD);
}

/** Takes one away. */
export function drop(id: number): void {
  list = list.filter((t) => t.id !== id);
}

/** Takes the offers to undo away: they are used up. */
export function dropUndo(): void {
  list = list.filter((t) => !t.undo);
}

function add(toast: Omit<Toast, 'id'>, shown: number): void {
  const id = ++last;
  // News replaces news: what went wrong and what can be taken back stay beside it.
  const staying = list.filter((t) => t.undo || t.tone === 'bad' || toast.tone === 'bad');
  list = [...staying.slice(-2), { ...toast, id }];
  setTimeout(() => drop(id), shown);
}
