/** The document around somebody else's HTML. */

/**
 * A whole document for `srcdoc`. Nothing may be loaded but our own sheet;
 * where even that is refused, attributes that no policy touches give paper,
 * ink and a plain face. Links go nowhere: a new window is not allowed.
 */
export function frame(html: string, dark: boolean): string {
  const origin = location.origin;
  // A mail that sets colours expects white paper under them.
  const paper = dark && !/\s(bgcolor|color|background)\s*=/i.test(html);
  const [back, ink, link] = paper ? ['#1c1f1d', '#eceae4', '#6fc3b8'] : ['#ffffff', '#1e1f1d', '#17665f'];
  return `<!doctype html><html lang="" class="${paper ? 'dark' : 'light'}"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${origin}; font-src ${origin}; img-src data: meantime-blob:">
<meta name="color-scheme" content="${paper ? 'dark' : 'light'}"><base target="_blank">
<link rel="stylesheet" href="${origin}/mail.css"></head>
<body bgcolor="${back}" text="${ink}" link="${link}" vlink="${link}"><font face="Inter, system-ui, sans-serif">${html}</font></body></html>`;
}

const CHAR = 7;
const LINE = 22;
const GAP = 10;

/**
 * About how tall the text will be, in pixels: a frame without scripts can't
 * say. Too much leaves a little room, too little scrolls.
 */
export function guessHeight(html: string, text: string, width: number): number {
  const perLine = Math.max(20, Math.floor(width / CHAR));
  const lines = text.split('\n').reduce((sum, line) => sum + Math.ceil(line.trim().length / perLine), 0);
  const gaps = text.match(/\n\s*\n/g)?.length ?? 0;
  const pictures = html.match(/<img\b[^>]*\ssrc=/gi)?.length ?? 0;
  return Math.min(20_000, 36 + lines * LINE + gaps * GAP + pictures * 160);
}
