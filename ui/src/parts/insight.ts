/**
 * An attachment for what scrolls: where it gets lower (over a toast, in a
 * smaller window) the row that the keys act on stays in sight, if it was.
 */
export function inSight(row: () => HTMLElement | null): (box: HTMLElement) => () => void {
  return (box) => {
    let height = box.clientHeight;
    const observer = new ResizeObserver(() => {
      const before = height;
      height = box.clientHeight;
      const current = height < before ? row() : null;
      if (!current) return;
      const { top, bottom } = current.getBoundingClientRect();
      const edge = box.getBoundingClientRect().top;
      if (bottom > edge && top < edge + before) current.scrollIntoView({ block: 'nearest' });
    });
    observer.observe(box);
    return () => observer.disconnect();
  };
}
