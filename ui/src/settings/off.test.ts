import { expect, it } from 'vitest';
import { inWords, sortedOff } from './off';

it('reads as a day or as two ends', () => {
  expect(inWords({ from: '2026-11-27', to: '2026-11-27' }, '2026-11-16')).toBe('Fri 27 Nov');
  expect(inWords({ from: '2026-12-23', to: '2027-01-02' }, '2026-11-16')).toBe('23 Dec – 2 Jan 2027');
  expect(inWords({ from: '2026-12-31T12:00', to: '2026-12-31' }, '2026-11-16')).toBe('31 Dec 12:00 – 31 Dec');
  expect(inWords({ from: 'soon', to: 'later' }, '2026-11-16')).toBe('soon – later');
});

it('sorts by the beginning', () => {
  const entries = [{ from: '2026-12-01', to: '2026-12-02' }, { from: '2026-11-01', to: '2026-12-31' }];
  expect(sortedOff(entries)[0]?.from).toBe('2026-11-01');
});
