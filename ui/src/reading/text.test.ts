// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest';
import { linksOf, pieces, words } from './text';

describe('pieces', () => {
  it('takes quotes apart from what was written', () => {
    expect(pieces('Yes.\n> Can you?\n> Really?\n\nThanks\n')).toEqual([
      { kind: 'text', text: 'Yes.' },
      { kind: 'quote', text: 'Can you?\nReally?', lines: 2 },
      { kind: 'text', text: 'Thanks' },
    ]);
  });
  it('keeps empty lines inside and survives nothing', () => {
    expect(pieces('a\r\n\r\nb')).toEqual([{ kind: 'text', text: 'a\n\nb' }]);
    expect(pieces('\n \n')).toEqual([]);
  });
});

describe('words', () => {
  it('finds links without the stop after them', () => {
    expect(words('See https://example.org/a?b=1. (Or http://x.org/y)')).toEqual([
      { link: false, text: 'See ' },
      { link: true, text: 'https://example.org/a?b=1', url: 'https://example.org/a?b=1' },
      { link: false, text: '. (Or ' },
      { link: true, text: 'http://x.org/y', url: 'http://x.org/y' },
      { link: false, text: ')' },
    ]);
  });
  it('leaves brackets that belong to the link, and other schemes alone', () => {
    expect(words('https://en.wikipedia.org/wiki/A_(b)')).toHaveLength(1);
    expect(words('javascript:alert(1)')).toEqual([{ link: false, text: 'javascript:alert(1)' }]);
  });
});

it('names the links of a mail, each once, and nothing that runs', () => {
  const html = '<a href="https://a.org">A</a> <a href="https://a.org">again</a> <a href="javascript:x()">no</a> <a href="mailto:b@c.org"></a>';
  expect(linksOf(html)).toEqual([
    { url: 'https://a.org', text: 'A' },
    { url: 'mailto:b@c.org', text: 'mailto:b@c.org' },
  ]);
});
