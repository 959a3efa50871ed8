// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest';
import { frame, guessHeight } from './frame';

describe('frame', () => {
  it('forbids whatever is not ours, before the mail begins', () => {
    const doc = frame('<p>Hello</p>', false);
    expect(doc.indexOf("default-src 'none'")).toBeGreaterThan(0);
    expect(doc.indexOf("default-src 'none'")).toBeLessThan(doc.indexOf('Hello'));
    expect(doc).not.toMatch(/https?:\/\/(?!localhost)/);
  });
  it('leaves white paper under a mail that sets colours', () => {
    expect(frame('<p>Hello</p>', true)).toContain('class="dark"');
    expect(frame('<td bgcolor="#eee">Hello</td>', true)).toContain('class="light"');
  });
});

describe('guessHeight', () => {
  it('grows with the text and as the pane narrows, within bounds', () => {
    const text = 'word '.repeat(200);
    expect(guessHeight('', text, 300)).toBeGreaterThan(guessHeight('', text, 900));
    expect(guessHeight('', '', 0)).toBeGreaterThan(0);
    expect(guessHeight('', 'x\n'.repeat(100_000), 500)).toBe(20_000);
  });
});
