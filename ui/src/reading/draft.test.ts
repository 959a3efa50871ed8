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

it('is kept while one types and types', async () => {
  const draft = new Draft('sync', null);
  for (let n = 1; n <= 25; n++) {
    draft.text = 'x'.repeat(n);
    draft.touched();
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(saved().map((text) => text.length)).toEqual([10, 20]);
});

it('is kept in the order it was typed in', async () => {
  const draft = new Draft('sync', null);
  const answer: Array<() => void> = [];
  const usual = host.call.bind(host);
  host.call = (name, args) => new Promise((resolve) => answer.push(() => resolve(usual(name, args))));
  for (const text of ['one', 'two', 'three']) {
    draft.text = text;
    void draft.keep();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(answer).toHaveLength(1);
  answer[0]?.();
  await vi.advanceTimersByTimeAsync(10);
  answer[1]?.();
  await vi.advanceTimersByTimeAsync(10);
  expect(saved()).toEqual(['one', 'three']);
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

it('puts what was taken back before what is typed by now', async () => {
  const draft = new Draft('sync', null);
  draft.text = 'And';
  await draft.keep();
  draft.text = 'And then';
  draft.adopt('Yes.\n\nAnd');
  expect(draft.text).toBe('Yes.\n\nAnd then');
  const other = new Draft('sync', null);
  other.text = 'Not kept yet';
  other.adopt('Yes.');
  expect(other.text).toBe('Yes.\n\nNot kept yet');
});
