// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest';
import { isLetter, isTyping, KEYS, pressOf, Recogniser, written } from './keys';

describe('the recogniser', () => {
  it('knows one press and two in a row', () => {
    const keys = new Recogniser();
    expect(keys.press('j', 0, true)).toBe('next');
    expect(keys.press('g', 10, true)).toBeNull();
    expect(keys.press('i', 20, true)).toBe('go_inbox');
    expect(keys.press('i', 30, true)).toBeNull();
  });
  it('forgets the first after a while, and runs a second that stands alone', () => {
    const keys = new Recogniser();
    keys.press('g', 0, true);
    expect(keys.press('t', 5_000, true)).toBeNull();
    keys.press('g', 6_000, true);
    expect(keys.press('e', 6_010, true)).toBe('done');
  });
  it('leaves letters alone when they are switched off', () => {
    const keys = new Recogniser();
    expect(keys.press('j', 0, false)).toBeNull();
    keys.press('g', 0, false);
    expect(keys.press('i', 10, false)).toBeNull();
    expect(keys.press('ArrowDown', 20, false)).toBe('next');
    expect(keys.press('mod+k', 30, false)).toBe('palette');
  });
});

it('gives no press to two commands', () => {
  const all = KEYS.flatMap((key) => key.presses);
  expect(new Set(all).size).toBe(all.length);
});

it('names presses', () => {
  expect(pressOf({ key: 'K', ctrlKey: true, metaKey: false })).toBe('mod+k');
  expect(pressOf({ key: '?', ctrlKey: false, metaKey: false })).toBe('?');
  expect(written('mod+k', false)).toBe('Ctrl K');
  expect(written('g i', true)).toBe('G I');
  expect(isLetter('g i')).toBe(true);
  expect(isLetter('Enter')).toBe(false);
});

it('knows where one types', () => {
  const input = document.createElement('input');
  expect(isTyping(input)).toBe(true);
  input.type = 'checkbox';
  expect(isTyping(input)).toBe(false);
  expect(isTyping(document.createElement('textarea'))).toBe(true);
  expect(isTyping(document.body)).toBe(false);
});
