/** Plain text in pieces: quotes apart from what was written, links apart from words. */

export type Piece = { kind: 'text'; text: string } | { kind: 'quote'; text: string; lines: number };
export type Word = { link: false; text: string } | { link: true; text: string; url: string };

/** Paragraphs and quotes, in order; what is empty is left out. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let lines: string[] = [];
  let quoted = false;
  const close = () => {
    const body = lines.join('\n').replace(/^\n+|\s+$/g, '');
    if (body) found.push(quoted ? { kind: 'quote', text: body, lines: lines.length } : { kind: 'text', text: body });
    lines = [];
  };
  for (const line of text.replaceAll('\r\n', '\n').split('\n')) {
    const isQuote = line.startsWith('>');
    if (isQuote !== quoted) {
      close();
      quoted = isQuote;
    }
    lines.push(isQuote ? line.replace(/^>\s?/, '') : line);
  }
  close();
  return found;
}

const URL_LIKE = /\bhttps?:\/\/[^\s<>"'`]+/gi;

/** Words and the links among them; a stop or bracket at a link's end is not part of it. */
export function words(text: string): Word[] {
  const found: Word[] = [];
  let end = 0;
  for (const match of text.matchAll(URL_LIKE)) {
    let url = match[0].replace(/[.,;:!?…]+$/, '');
    if (url.endsWith(')') && !url.includes('(')) url = url.slice(0, -1);
    if (match.index > end) found.push({ link: false, text: text.slice(end, match.index) });
    found.push({ link: true, text: url, url });
    end = match.index + url.length;
  }
  if (end < text.length) found.push({ link: false, text: text.slice(end) });
  return found;
}

/** The links of sanitised HTML, each once. Only http, https and mailto count. */
export function linksOf(html: string): Array<{ url: string; text: string }> {
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  const found = new Map<string, string>();
  for (const anchor of parsed.querySelectorAll('a[href]')) {
    const url = anchor.getAttribute('href') ?? '';
    if (/^(https?|mailto):/i.test(url) && !found.has(url)) found.set(url, anchor.textContent?.trim() || url);
  }
  return [...found].map(([url, text]) => ({ url, text }));
}
