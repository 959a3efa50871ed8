/** Links leave the window only after the person saw where they lead. */
import { lookAtLink } from '../host';
import { complain } from './toasts.svelte';
import { lay } from './view.svelte';

/** Shows where a link leads, and asks. */
export function follow(url: string): void {
  lookAtLink(url).then((link) => lay({ kind: 'link', link }), complain);
}
