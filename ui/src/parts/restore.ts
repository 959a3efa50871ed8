/** What a screen had before a step, to be put back when that step is undone. */

let kept: { what: string; put: () => void } | null = null;

/** Remembers how to restore the screen if the step named `what` is undone. */
export function keepFor(what: string, put: () => void): void {
  kept = { what, put };
}

/** The step named `what` was undone. */
export function restore(what: string): void {
  if (kept?.what !== what) return;
  kept.put();
  kept = null;
}
