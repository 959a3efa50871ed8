import { expect, it } from 'vitest';
import { prefix, wrap } from './markdown';

it('wraps and unwraps a selection', () => {
  expect(wrap('**')('say it now', 4, 6)).toEqual(['say **it** now', 6, 8]);
  expect(wrap('**')('say **it** now', 6, 8)).toEqual(['say it now', 4, 6]);
});

it('marks and unmarks lines', () => {
  expect(prefix('- ')('a\nb\nc', 0, 3)).toEqual(['- a\n- b\nc', 2, 7]);
  expect(prefix('- ')('- a\n- b\nc', 2, 7)).toEqual(['a\nb\nc', 0, 3]);
  expect(prefix('> ')('', 0, 0)).toEqual(['> ', 2, 2]);
});
