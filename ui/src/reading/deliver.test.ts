import { describe, expect, it } from 'vitest';
import type { Recipient } from '../host';
import { choices, firstStart, someoneWorks } from './deliver';

const NOW = Date.parse('2026-11-16T10:26:00Z');
const LISBON = 'Europe/Lisbon';

function one(zone: string, starts: string | null): Recipient {
  return {
    person: 'p', name: 'P', zone, held: null, due: null, starts,
    state: starts ? { state: 'starts', at: starts } : { state: 'works', until: '2026-11-16T11:00:00Z' },
  };
}

const tomas = one('America/Mexico_City', '2026-11-16T14:00:00Z');
const mei = one('Asia/Taipei', null);

describe('choices', () => {
  it('offers the start when nobody works', () => {
    expect(choices([tomas], LISBON, NOW).map((c) => [c.label, c.at])).toEqual([
      ['When they start', '14:00'],
      ['Now', ''],
      ['Tomorrow 09:00 in Mexico City', 'Tue 15:00'],
      ['Monday 09:00 in Mexico City', '23 Nov 15:00'],
    ]);
  });
  it('does not offer it when somebody does', () => {
    expect(choices([mei, tomas], LISBON, NOW)[0]?.deliver).toEqual({ when: 'now' });
  });
  it('says a time once', () => {
    const starts = choices([one(LISBON, '2026-11-17T09:00:00Z')], LISBON, NOW);
    expect(starts.map((c) => c.label)).toEqual(['When they start', 'Now', 'Monday 09:00']);
  });
});

it('knows who works and who starts first', () => {
  expect(someoneWorks([tomas])).toBe(false);
  expect(someoneWorks([tomas, mei])).toBe(true);
  expect(firstStart([mei, tomas, one('Europe/Berlin', '2026-11-16T12:00:00Z')])).toBe('2026-11-16T12:00:00Z');
  expect(firstStart([mei])).toBeNull();
});
