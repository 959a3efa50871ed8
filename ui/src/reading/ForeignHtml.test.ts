// @vitest-environment happy-dom
import { fireEvent, render, screen } from '@testing-library/svelte';
import { beforeEach, expect, it } from 'vitest';
import { reset } from '../host/memory';
import '../host/memory/document';
import type { Memory } from '../host/memory/host';
import ForeignHtml from './ForeignHtml.svelte';

let host: Memory;
beforeEach(() => void (host = reset()));

function show(images: number) {
  render(ForeignHtml, { item: 'invoice', message: 'i1', html: '<p>Hello</p>', text: 'Hello', images });
  return screen.getByTitle('Message');
}
const asked = () => host.calls.filter((c) => c.name === 'load_images').map((c) => c.args);

// With `allow-scripts` beside it a mail could call our commands: docs/adr/0008.
it('gives the frame our origin and nothing else', () => {
  expect(show(0).getAttribute('sandbox')).toBe('allow-same-origin');
  expect(screen.queryByTestId('load-images')).toBeNull();
});

it('loads images when asked to, says what that tells, and what is missing', async () => {
  show(1);
  const load = screen.getByTestId('load-images');
  expect(load.title).toContain('learns that it was opened');
  expect(asked()).toEqual([]);
  await fireEvent.click(load);
  expect((await screen.findByTestId('images-missing')).textContent).toBe('1 image could not be loaded');
  expect(asked()).toEqual([{ item: 'invoice', message: 'i1' }]);
  expect(screen.queryByTestId('load-images')).toBeNull();
  expect(screen.getByTitle('Message').getAttribute('sandbox')).toBe('allow-same-origin');
});
