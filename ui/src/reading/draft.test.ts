import { beforeEach, expect, it, vi } from 'vitest';
import { reset } from '../host/memory';
import type { Memory } from '../host/memory/host';
import { Draft } from './draft.svelte';

let host: Memory;
beforeEach(() => {
  host = reset();
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

const saved = () => host.calls.filter((c) => c.name === 'save_draft').map((c) => (c.args as { text: string }).text);

it('is kept after a pause, not with every letter', async () => {
  const draft = new Draft('sync', null);
  for (const text of ['H', 'He', 'Hel']) {
    draft.text = text;
    draft.touched();
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(saved()).toEqual([]);
  await vi.advanceTimersByTimeAsync(400);
  expect(saved()).toEqual(['Hel']);
});

it('is kept at once when one leaves, and only if it changed', async () => {
  const draft = new Draft('sync', 'as it was');
  await draft.keep();
  draft.text = '';
  draft.touched();
  await draft.keep();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(saved()).toEqual(['']);
});

it('keeps nothing of what was sent', async () => {
  const draft = new Draft('sync', null);
  draft.text = 'Yes';
  draft.touched();
  draft.sent();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(saved()).toEqual([]);
});

it('takes back what was not sent after all, never over what is typed', () => {
  const draft = new Draft('sync', null);
  draft.adopt('Yes');
  expect(draft.text).toBe('Yes');
  draft.adopt('No');
  expect(draft.text).toBe('Yes');
});
