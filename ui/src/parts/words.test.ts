import { expect, it } from 'vitest';
import { sentence } from './words';

it.each([
  ['the password is wrong', 'The password is wrong.'],
  ['Already one.', 'Already one.'],
  ['is it there?', 'Is it there?'],
  ['écrit ainsi', 'Écrit ainsi.'],
  ['', ''],
])('%j is shown as %j', (message, shown) => expect(sentence(message)).toBe(shown));
