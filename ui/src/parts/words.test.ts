import { expect, it } from 'vitest';
import { count, sentence } from './words';

it.each([
  ['the password is wrong', 'The password is wrong.'],
  ['Already one.', 'Already one.'],
  ['is it there?', 'Is it there?'],
  ['écrit ainsi', 'Écrit ainsi.'],
  ['', ''],
])('%j is shown as %j', (message, shown) => expect(sentence(message)).toBe(shown));

it.each([
  [0, '0 messages'],
  [1, '1 message'],
  [999, '999 messages'],
  [1024, '1,024 messages'],
  [100_000, '100,000 messages'],
])('%d in words: %j', (n, words) => expect(count(n, 'message')).toBe(words));
