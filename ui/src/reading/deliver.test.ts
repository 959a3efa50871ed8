import { describe, expect, it } from 'vitest';
import type { Recipient } from '../host';
import { choices, start, whenStart } from './deliver';

const NOW = Date.parse('2026-11-16T10:26:00Z');
const LISBON = 'Europe/Lisbon';

function one(zone: string, starts: string | null, name = 'P'): Recipient {
  return {
    person: 'p', name, address: '', zone, city: '', held: null, due: null, starts,
    state: starts ? { state: 'starts', at: starts } : { state: 'works', until: '2026-11-16T11:00:00Z' },
  };
}

const tomas = one('America/Mexico_City', '2026-11-16T14:00:00Z', 'Tomás Ruiz');
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
  it('offers it by name when one of several sleeps', () => {
    expect(choices([mei, tomas], LISBON, NOW)[0]).toEqual({ deliver: { when: 'when_they_start' }, label: 'When Tomás starts', at: '14:00' });
  });
  it('does not offer it when all work', () => {
    expect(choices([mei], LISBON, NOW)[0]?.deliver).toEqual({ when: 'now' });
  });
  it('calls a place what they call it', () => {
    const priya = { ...one('Asia/Kolkata', null), city: 'Bengaluru' };
    expect(choices([priya], LISBON, NOW)[1]?.label).toBe('Tomorrow 09:00 in Bengaluru');
  });
  it('says a time once', () => {
    const starts = choices([one(LISBON, '2026-11-17T09:00:00Z')], LISBON, NOW);
    expect(starts.map((c) => c.label)).toEqual(['When they start', 'Now', 'Monday 09:00']);
  });
});

describe('start', () => {
  const berlin = one('Europe/Berlin', '2026-11-16T12:00:00Z');
  const away = one('Africa/Lagos', '2026-11-19T08:00:00Z');
  it('is the next of those who sleep', () => {
    expect(start([mei, tomas, berlin], NOW)).toEqual({ at: '2026-11-16T12:00:00Z', who: null });
    expect(start([tomas], NOW)).toEqual({ at: '2026-11-16T14:00:00Z', who: null });
    expect(start([mei, tomas], NOW)?.who).toBe('Tomás');
    expect(start([mei], NOW)).toBeNull();
  });
  it('waits for somebody away only where nobody works', () => {
    expect(start([mei, away], NOW)).toBeNull();
    expect(start([away], NOW)?.at).toBe('2026-11-19T08:00:00Z');
  });
  it('is written short', () => {
    expect(whenStart({ who: 'Tomás' })).toBe('when Tomás starts');
    expect(whenStart({ who: 'Maximiliana-Luise' })).toBe('when they start');
  });
});
