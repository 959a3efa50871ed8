/** What a search found, in a title. */

const WORD = /[\p{L}\p{N}\p{M}]+/gu;
/** Scripts that put no spaces between words. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** As the index sees a word: small, without accents. */
const fold = (word: string) => word.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

/** A text in pieces, each second of which is one of the words; the last word may be a beginning. */
export function marked(text: string, words: string): string[] {
  const typed = words.match(WORD) ?? [];
  const terms = typed.map(fold);
  const begins = words.trimEnd().endsWith('"') ? '' : (terms.at(-1) ?? '');
  const within = typed.filter((term) => UNSPACED.test(term)).map((term) => term.toLowerCase());

  /** What is found of a word: its place in it, and its length. */
  function found(word: string): [number, number] | undefined {
    const folded = fold(word);
    if (terms.includes(folded) || (begins.length > 1 && folded.startsWith(begins))) return [0, word.length];
    for (const term of within) {
      const at = word.toLowerCase().indexOf(term);
      if (at >= 0) return [at, term.length];
    }
    return undefined;
  }

  const pieces: string[] = [];
  let from = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    const place = found(word);
    if (!place) continue;
    const start = index + place[0];
    pieces.push(text.slice(from, start), text.slice(start, (from = start + place[1])));
  }
  return [...pieces, text.slice(from)];
}
