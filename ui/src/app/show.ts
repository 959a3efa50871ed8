/** Shows what a notification or a link points to. */
import type { Target } from '../host';
import { rows } from '../inbox/rows.svelte';
import { lay, liftOverlay, showList, where } from '../parts/view.svelte';

export function show(target: Target): void {
  switch (target.target) {
    case 'inbox':
      liftOverlay();
      return showList('inbox');
    case 'item': {
      liftOverlay();
      showList('inbox');
      where.open = target.id;
      const index = rows.view === 'inbox' ? rows.find(target.id) : -1;
      if (index >= 0) rows.cursor = index;
      return;
    }
    case 'join':
      return lay({ kind: 'join', link: target.link });
  }
}
