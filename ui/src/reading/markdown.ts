/** Small edits of Markdown in a text box: text and selection in, text and selection out. */

type Edit = (text: string, from: number, to: number) => [text: string, from: number, to: number];

/** Puts a mark around the selection, or takes it away again. */
export function wrap(mark: string): Edit {
  return (text, from, to) => {
    const n = mark.length;
    if (text.slice(from - n, from) === mark && text.slice(to, to + n) === mark) {
      return [text.slice(0, from - n) + text.slice(from, to) + text.slice(to + n), from - n, to - n];
    }
    return [text.slice(0, from) + mark + text.slice(from, to) + mark + text.slice(to), from + n, to + n];
  };
}

/** Begins each line of the selection with a mark, or takes it away again. */
export function prefix(mark: string): Edit {
  return (text, from, to) => {
    const start = text.lastIndexOf('\n', from - 1) + 1;
    const lines = text.slice(start, to).split('\n');
    const marked = lines.every((line) => line.startsWith(mark));
    const changed = lines.map((line) => (marked ? line.slice(mark.length) : mark + line)).join('\n');
    const first = marked ? -mark.length : mark.length;
    const grown = changed.length - (to - start);
    return [text.slice(0, start) + changed + text.slice(to), Math.max(start, from + first), to + grown];
  };
}
