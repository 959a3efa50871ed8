// @vitest-environment happy-dom
import { fireEvent, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { reset } from '../host/memory';
import '../host/memory/document';
import { eventually } from '../host/memory/eventually';
import type { Memory } from '../host/memory/host';

let host: Memory;
let close = () => {};
beforeEach(() => void (host = reset()));
afterEach(() => close());

/** The page is made anew, as it is when the window was closed for a while: nothing of before is left in it. */
async function page(asked: string[] = []) {
  close();
  vi.resetModules();
  const memory = await import('../host/memory');
  memory.use(host);
  const { cleanup, render } = await import('@testing-library/svelte');
  const { default: Compose } = await import('./Compose.svelte');
  render(Compose, { asked });
  close = cleanup;
  return screen.findByTestId<HTMLInputElement>('compose-title');
}
const saved = () => host.calls.filter((c) => c.name === 'save_draft');

it('is all there in a page made anew', async () => {
  await fireEvent.input(await page(), { target: { value: 'Which day?' } });
  await fireEvent.click(screen.getByLabelText('Urgent', { selector: 'input' }));
  await fireEvent.input(screen.getByTestId('compose-space'), { target: { value: 'Plans' } });
  await fireEvent.input(screen.getByTestId('compose-text'), { target: { value: 'Tue or Wed?' } });
  await fireEvent(window, new Event('pagehide'));
  await eventually(() => expect(saved().at(-1)?.args).toMatchObject({ text: 'Tue or Wed?' }));

  expect((await page()).value).toBe('Which day?');
  expect(screen.getByLabelText<HTMLInputElement>('Urgent', { selector: 'input' }).checked).toBe(true);
  expect(screen.getByTestId<HTMLInputElement>('compose-space').value).toBe('Plans');
  expect(screen.getByTestId<HTMLTextAreaElement>('compose-text').value).toBe('Tue or Wed?');
});

it('says by whose clock an answer is due', async () => {
  await page(['mei']);
  await eventually(() => expect(screen.getByTestId('recipients').textContent).toContain('answer due Tue 19:00 their time'));
});

it('is kept without a word of text', async () => {
  await fireEvent.input(await page(), { target: { value: 'Which day?' } });
  await eventually(() => expect(saved().at(-1)?.args).toMatchObject({ text: '', thread: { title: 'Which day?' } }));
});

it('chooses again when it was to arrive at a time that is over', async () => {
  const thread = { title: 'Late', urgency: 'yellow', asked: [], space: '', private: false } as const;
  await host.call('save_draft', { item: null, text: '', thread: { ...thread, asked: [], deliver: { when: 'at', at: '2026-11-16T08:00:00Z' } }, answer: null });
  expect((await page()).value).toBe('Late');
  await eventually(() => expect(saved().at(-1)?.args).toMatchObject({ thread: { deliver: { when: 'when_they_start' } } }));
});
