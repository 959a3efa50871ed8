/** How large everything is drawn. All lengths are rem, so the root's text size is the zoom. */

const STEPS = [0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2];
const USUAL = STEPS.indexOf(1);
const KEPT = 'zoom';

let step = $state(kept());

export const zoom = {
  get factor(): number {
    return STEPS[step] ?? 1;
  },
};

/** One step larger or smaller; 0 is the usual size. Kept for the next start. */
export function resize(by: -1 | 0 | 1): void {
  step = by === 0 ? USUAL : Math.max(0, Math.min(step + by, STEPS.length - 1));
  localStorage.setItem(KEPT, String(STEPS[step]));
}

/** Writes the size to the document; to be called in an effect. */
export function applyZoom(): void {
  document.documentElement.style.fontSize = zoom.factor === 1 ? '' : `${Math.round(zoom.factor * 100)}%`;
}

function kept(): number {
  const at = typeof localStorage === 'undefined' ? -1 : STEPS.indexOf(Number(localStorage.getItem(KEPT)));
  return at < 0 ? USUAL : at;
}
