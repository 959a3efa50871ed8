// @vitest-environment happy-dom
import { fireEvent, render, screen } from '@testing-library/svelte';
import { beforeEach, expect, it } from 'vitest';
import { reset } from '../host/memory';
import '../host/memory/document';
import { eventually } from '../host/memory/eventually';
import Team from './Team.svelte';

beforeEach(() => void reset());

it('says that a day is off, and leads to the next that is not', async () => {
  render(Team);
  expect(await screen.findAllByTestId('person')).toHaveLength(7);
  expect(screen.queryByTestId('day-off')).toBeNull();
  await fireEvent.click(screen.getByLabelText('The day before'));
  expect((await screen.findByTestId('day-off')).textContent).toContain('Nobody has working hours');
  await eventually(() => expect(screen.getByTestId('overlap').textContent).toContain('Nobody works on Sunday'));
  const next = await screen.findByTestId('next-workday');
  expect(next.textContent).toBe('Show today');
  expect(screen.getByText(/Mei Lin starts first/).textContent).toContain('02:00');
  await fireEvent.click(next);
  await eventually(() => expect(screen.queryByTestId('day-off')).toBeNull());
});
