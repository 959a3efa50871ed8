/** Takes files that are dropped or pasted. Elsewhere in the window a dropped file does nothing. */
import type { Attachment } from 'svelte/attachments';
import type { Files } from './files.svelte';

const brings = (data: DataTransfer | null) => data?.types.includes('Files') === true;

/** `over` hears whether files are held over it. */
export function takesFiles(files: Files, over: (is: boolean) => void): Attachment<HTMLElement> {
  return (node) => {
    const listening = new AbortController();
    const { signal } = listening;
    let depth = 0;
    const count = (by: number) => over((depth = Math.max(0, depth + by)) > 0);
    const enter = (e: DragEvent) => brings(e.dataTransfer) && count(1);
    const leave = (e: DragEvent) => brings(e.dataTransfer) && count(-1);
    const hold = (e: DragEvent, effect: 'copy' | 'none') => {
      if (!brings(e.dataTransfer) || e.defaultPrevented) return;
      e.preventDefault();
      if (e.dataTransfer) e.dataTransfer.dropEffect = effect;
    };
    const take = (e: Event, data: DataTransfer | null) => {
      if (!data || data.files.length === 0) return;
      e.preventDefault();
      void files.add(data.files);
    };
    node.addEventListener('dragenter', enter, { signal });
    node.addEventListener('dragleave', leave, { signal });
    node.addEventListener('dragover', (e) => hold(e, 'copy'), { signal });
    node.addEventListener('drop', (e) => (count(-depth), take(e, e.dataTransfer)), { signal });
    // Who copies a part of a table has its picture as well: the words are what is pasted.
    node.addEventListener('paste', (e) => e.clipboardData?.types.includes('text/plain') || take(e, e.clipboardData), { signal });
    window.addEventListener('dragover', (e) => hold(e, 'none'), { signal });
    window.addEventListener('drop', (e) => brings(e.dataTransfer) && e.preventDefault(), { signal });
    return () => listening.abort();
  };
}
