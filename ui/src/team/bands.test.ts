import { describe, expect, it } from 'vitest';
import type { TeamPerson } from '../host';
import { anybody, at, filter, place, ticks } from './bands';

const DAY = { start: '2026-11-16T00:00:00Z', end: '2026-11-17T00:00:00Z' };

describe('place', () => {
  it('is a share of the day', () => {
    expect(place({ start: '2026-11-16T06:00:00Z', end: '2026-11-16T12:00:00Z' }, DAY)).toEqual({ left: 0.25, width: 0.25 });
  });
  it('ends where the day does', () => {
    expect(place({ start: '2026-11-15T20:00:00Z', end: '2026-11-16T06:00:00Z' }, DAY)).toEqual({ left: 0, width: 0.25 });
    expect(place({ start: '2026-11-17T00:00:00Z', end: '2026-11-17T06:00:00Z' }, DAY)).toBeNull();
  });
});

it('finds an instant, or not', () => {
  expect(at('2026-11-16T12:00:00Z', DAY)).toBe(0.5);
  expect(at('2026-11-18T12:00:00Z', DAY)).toBeNull();
});

describe('ticks', () => {
  it('are eight on a usual day', () => {
    expect(ticks(DAY, 'Europe/Lisbon').map((t) => t.text)).toEqual(['00', '03', '06', '09', '12', '15', '18', '21']);
  });
  it('stand right when the clocks change', () => {
    // 25 hours: Lisbon's 25 October 2026.
    const long = { start: '2026-10-24T23:00:00Z', end: '2026-10-26T00:00:00Z' };
    const found = ticks(long, 'Europe/Lisbon');
    expect(found.map((t) => t.text)).toEqual(['00', '03', '06', '09', '12', '15', '18', '21']);
    expect(found[1]?.at).toBeCloseTo(4 / 25);
  });
});

it('knows a day on which nobody works', () => {
  const person = (kind: 'work' | 'focus' | 'away') => ({ bands: [{ span: DAY, kind, label: '' }] }) as unknown as TeamPerson;
  expect(anybody([person('away'), person('focus'), { bands: [] } as unknown as TeamPerson])).toBe(false);
  expect(anybody([person('away'), person('work')])).toBe(true);
});

it('filters by every word, without minding accents', () => {
  const people = [
    { name: 'Tomás Ruiz', city: 'Mexico City', title: 'Mail', zone: null },
    { name: 'Mei Lin', city: 'Taipei', title: 'Protocol', zone: 'Asia/Taipei' },
  ] as TeamPerson[];
  expect(filter(people, 'tomas mail')).toHaveLength(1);
  expect(filter(people, 'asia')).toHaveLength(1);
  expect(filter(people, '')).toHaveLength(2);
  expect(filter(people, 'tomas taipei')).toHaveLength(0);
});
