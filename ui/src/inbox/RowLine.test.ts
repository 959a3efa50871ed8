// @vitest-environment happy-dom
import { render, screen } from '@testing-library/svelte';
import { expect, it } from 'vitest';
import '../host/memory/document';
import { inbox } from '../host/memory/rows';
import RowLine from './RowLine.svelte';

it('says why it came through before what it says', () => {
  const row = { ...inbox()[0]!, note: 'Since ten minutes.' };
  render(RowLine, { row, index: 0, on: false });
  const words = screen.getByTestId('row-words');
  expect(words.textContent).toBe('Kofi Mensah · came through: on your list · Since ten minutes.');
  expect(words.title, 'all of it, where it is cut off').toBe(words.textContent);
  expect([words.dir, screen.getByTestId('row-title').dir], 'from where its script begins').toEqual(['auto', 'auto']);
});

it('says that it waits for the end of the block', async () => {
  const [row] = inbox();
  const shown = render(RowLine, { row: { ...row!, held: true }, index: 0, on: false });
  expect(screen.getByTestId('row-held').textContent).toBe('held');
  await shown.rerender({ row: { ...row!, held: false } });
  expect(screen.queryByTestId('row-held')).toBeNull();
});
