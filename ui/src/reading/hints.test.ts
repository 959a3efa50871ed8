import { expect, it } from 'vitest';
import { hint } from './hints';

const TO = ['Mei Lin', 'Kofi Mensah'];

it('asks who should answer a question', () => {
  expect(hint('Could both carry a code?', [], TO)).toContain('who should answer');
  expect(hint('Kofi, could both carry a code?', [], TO)).toBeNull();
  expect(hint('Could both carry a code?', ['Mei Lin'], TO)).toBeNull();
  expect(hint('Could both carry a code?', [], ['Mei Lin'])).toBeNull();
});

it('asks for a time behind a hurry', () => {
  expect(hint('Please answer ASAP', ['Mei Lin'], TO)).toContain('by when');
  expect(hint('Please answer ASAP, by 15:00', ['Mei Lin'], TO)).toBeNull();
  expect(hint('Please answer asap, Tuesday at the latest', ['Mei Lin'], TO)).toBeNull();
});

it('notices many questions, and ignores what is quoted or part of a link', () => {
  expect(hint('One? Two? Three? Four?', ['Mei Lin'], TO)).toContain('4 questions');
  expect(hint('> Why?\nSee https://example.org/?a=1', [], TO)).toBeNull();
  expect(hint('', [], TO)).toBeNull();
});
