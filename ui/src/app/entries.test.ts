import { expect, it } from 'vitest';
import { search } from '../search/search.svelte';
import { where } from '../parts/view.svelte';
import { entries } from './entries';

it('offers everything, then what holds the words, then a search for them', () => {
  expect(entries('').length).toBeGreaterThan(20);
  expect(entries('go pe').map((e) => e.title)).toEqual(['Go to People', 'Search for “go pe”']);
  expect(entries('focus')[0]?.title).toBe('Start or end focus');
});

it('goes where it says', () => {
  entries('dark')[0]?.run();
  expect([where.page, where.section]).toEqual(['settings', 'appearance']);
  entries('certificate').at(-1)?.run();
  expect([where.page, search.words]).toEqual(['search', 'certificate']);
});
