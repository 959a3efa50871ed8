/** Light or dark, and how close rows stand: from the settings, else from the system. */
import { me } from './me.svelte';

const query = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null;
let system = $state(query?.matches ?? false);
query?.addEventListener('change', (event) => (system = event.matches));

export function isDark(): boolean {
  const theme = me.settings?.theme ?? 'system';
  return theme === 'system' ? system : theme === 'dark';
}

/** Writes the choice to the document; to be called in an effect. */
export function apply(): void {
  const root = document.documentElement;
  const theme = me.settings?.theme ?? 'system';
  if (theme === 'system') delete root.dataset['theme'];
  else root.dataset['theme'] = theme;
  root.dataset['density'] = me.settings?.density ?? 'comfortable';
}
