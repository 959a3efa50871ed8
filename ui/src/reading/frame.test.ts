// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest';
import { dress, fit, frame, guessHeight, withPictures } from './frame';

describe('frame', () => {
  it('forbids whatever is not ours, before the mail begins', () => {
    const doc = frame('<p>Hello</p>', false);
    expect(doc.indexOf("default-src 'none'")).toBeGreaterThan(0);
    expect(doc.indexOf("default-src 'none'")).toBeLessThan(doc.indexOf('Hello'));
    expect(doc).not.toMatch(/https?:\/\/(?!localhost)/);
  });
  it('leaves white paper under a mail that sets colours', () => {
    expect(frame('<p>Hello</p>', true)).toContain('class="dark"');
    expect(frame('<td bgcolor="#eee">Hello</td>', true)).toContain('class="light sheet"');
    expect(frame('<p style="margin:0;color:#333">Hello</p>', true)).toContain('class="light sheet"');
    expect(frame('<p style="border-color:#333">Hello</p>', true)).toContain('class="dark"');
    expect(frame('<p style="color:#333">Hello</p>', false)).toContain('class="light"');
  });
  it('lets nothing run', () => {
    expect(frame('<p>Hello</p>', false)).not.toMatch(/script-src|unsafe/);
  });
});

it('dresses a mail in what the engine let through', () => {
  const body = document.createElement('div');
  body.innerHTML = '<p>a</p><p data-x><a href="https://x.example">b</a></p>';
  body.querySelector('[data-x]')?.setAttribute('style', 'padding-top: 3px');
  dress(body);
  expect(body.querySelector<HTMLElement>('[data-x]')?.style.paddingTop).toBe('3px');
  expect(body.querySelector('a')?.tabIndex).toBe(-1);
});

it('shows the images that were asked for, and words for the others', () => {
  const body = document.createElement('div');
  const html = '<img data-src="https://x.example/a.png?b=1&amp;c=2"><img data-src="https://x.example/d.png" alt="A logo">';
  body.innerHTML = withPictures(html, new Map([['https://x.example/a.png?b=1&c=2', 'data:image/png;base64,AA']]));
  dress(body);
  expect([...body.querySelectorAll('img')].map((image) => image.src)).toEqual(['data:image/png;base64,AA']);
  expect(body.textContent).toBe('A logo');
});

it('makes what is too wide smaller, and lets it scroll before it can no longer be read', () => {
  expect(fit(600, 600)).toEqual({ scale: 1, width: 600 });
  expect(fit(600, 750)).toEqual({ scale: 0.8, width: 600 });
  expect(fit(600, 1200)).toEqual({ scale: 0.75, width: 900 });
  expect(fit(0, 1200).scale).toBe(1);
});

describe('guessHeight', () => {
  it('grows with the text and as the pane narrows, within bounds', () => {
    const text = 'word '.repeat(200);
    expect(guessHeight('', text, 300)).toBeGreaterThan(guessHeight('', text, 900));
    expect(guessHeight('', '', 0)).toBeGreaterThan(0);
    expect(guessHeight('', 'x\n'.repeat(100_000), 500)).toBe(20_000);
  });
});
