/** The document around somebody else's HTML. */

/** Taller mail is cut until all of it is asked for. */
export const HIGHEST = 2400;
/** Links of one mail that are covered; the rest is text. */
const MAX_SPOTS = 500;
/** Nothing is made smaller than this to fit. */
const SMALLEST = 0.75;

/**
 * A whole document for `srcdoc`. Nothing may be loaded but our own sheet, and
 * inline styles wait for `dress`. Links go nowhere by themselves: a new window
 * is not allowed.
 */
export function frame(html: string, dark: boolean): string {
  const origin = location.origin;
  // A mail that sets colours expects white paper under them.
  const paper = dark && !/\s(bgcolor|color)\s*=|[\s;"](color|background(-color)?)\s*:/i.test(html);
  const sheet = [paper ? 'dark' : 'light', dark && !paper ? 'sheet' : ''].join(' ').trim();
  const [back, ink, link] = paper ? ['#1c1f1d', '#eceae4', '#6fc3b8'] : ['#ffffff', '#1e1f1d', '#17665f'];
  return `<!doctype html><html lang="" class="${sheet}"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${origin}; font-src ${origin}; img-src data: meantime-blob:">
<meta name="color-scheme" content="${paper ? 'dark' : 'light'}"><base target="_blank">
<link rel="stylesheet" href="${origin}/mail.css"></head>
<body dir="auto" bgcolor="${back}" text="${ink}" link="${link}" vlink="${link}">${html}</body></html>`;
}

/**
 * The same HTML with the images that were asked for, by their addresses. They
 * stand in it before it is shown, so that the frame's `load` waits for them:
 * WebKit calls no listener of ours on what is in a frame without scripts.
 */
export function withPictures(html: string, pictures: Map<string, string>): string {
  const page = new DOMParser().parseFromString(html, 'text/html');
  for (const image of page.querySelectorAll<HTMLImageElement>('img[data-src]')) {
    const data = pictures.get(image.dataset['src'] ?? '');
    if (!data) continue;
    image.setAttribute('src', data);
    image.removeAttribute('data-src');
  }
  return page.body.innerHTML;
}

/**
 * Gives the elements the inline styles that the engine let through (the
 * window's content policy, which the frame inherits, keeps them from applying
 * by themselves), puts words in the place of images that are held back, and
 * takes links out of the Tab key's way: ours cover them.
 */
export function dress(body: HTMLElement): void {
  for (const image of body.querySelectorAll('img[data-src]')) {
    const words = image.getAttribute('alt')?.trim();
    if (!words) continue;
    const held = body.ownerDocument.createElement('span');
    held.className = 'held';
    held.textContent = words;
    image.replaceWith(held);
  }
  for (const element of body.querySelectorAll<HTMLElement>('[style]')) {
    element.style.cssText = element.getAttribute('style') ?? '';
  }
  for (const anchor of body.querySelectorAll<HTMLElement>('a[href]')) anchor.tabIndex = -1;
}

/** A piece of a link on the sheet, in pixels from its corner. */
export interface Spot {
  url: string;
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * How tall the mail is, and where its links lie. What is wider than the frame
 * is made smaller, but not too small to be read: then the frame is wider than
 * its place. Only links to http, https and mailto count.
 */
export function measure(frame: HTMLIFrameElement): { height: number; wide: boolean; spots: Spot[] } {
  const inside = frame.contentDocument;
  if (!inside?.body) return { height: 0, wide: false, spots: [] };
  const { documentElement: root, body } = inside;
  body.style.transform = body.style.width = frame.style.width = '';
  // The frame will be as large as the mail: its place scrolls, not itself.
  root.style.overflow = 'hidden';
  const [room, needed] = [root.clientWidth, root.scrollWidth];
  const { scale, width } = fit(room, needed);
  if (scale < 1) {
    body.style.width = `${needed}px`;
    body.style.transform = `scale(${scale})`;
    frame.style.width = width > room ? `${width}px` : '';
  }
  const spots: Spot[] = [];
  for (const anchor of body.querySelectorAll('a[href]')) {
    const url = anchor.getAttribute('href') ?? '';
    if (!/^(https?|mailto):/i.test(url)) continue;
    for (const { left, top, width, height } of anchor.getClientRects()) {
      if (width > 2 && height > 2 && spots.length < MAX_SPOTS) spots.push({ url, left, top, width, height });
    }
  }
  const margin = Number.parseFloat(inside.defaultView?.getComputedStyle(body).marginBottom ?? '') || 0;
  return { height: Math.ceil(body.getBoundingClientRect().bottom + margin), wide: width > room, spots };
}

/** How much smaller something is made where there is less room than it needs, and how wide it is then. */
export function fit(room: number, needed: number): { scale: number; width: number } {
  if (room <= 0 || needed <= room + 1) return { scale: 1, width: room };
  const scale = Math.max(SMALLEST, room / needed);
  return { scale, width: Math.ceil(needed * scale) };
}

const CHAR = 7;
const LINE = 22;
const GAP = 10;

/** About how tall the text will be, in pixels, until it is measured. */
export function guessHeight(html: string, text: string, width: number): number {
  const perLine = Math.max(20, Math.floor(width / CHAR));
  const lines = text.split('\n').reduce((sum, line) => sum + Math.ceil(line.trim().length / perLine), 0);
  const gaps = text.match(/\n\s*\n/g)?.length ?? 0;
  const pictures = html.match(/<img\b[^>]*\ssrc=/gi)?.length ?? 0;
  return Math.min(20_000, 36 + lines * LINE + gaps * GAP + pictures * 160);
}
