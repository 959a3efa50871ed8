import { describe, expect, it } from 'vitest';
import { colour, doing, firstName, initials } from './people';

const NOW = Date.parse('2026-11-16T10:26:00Z');

describe('initials', () => {
  it('come from names and addresses', () => {
    expect(initials('Mei Lin')).toBe('ML');
    expect(initials('Ana Maria de Sousa')).toBe('AS');
    expect(initials('sara.okafor@example.org')).toBe('SO');
    expect(initials('Élodie')).toBe('É');
    expect(initials('  ')).toBe('?');
  });
});

describe('colour', () => {
  it('is stable and differs', () => {
    expect(colour('kofi')).toBe(colour('kofi'));
    expect(new Set(['a', 'b', 'c', 'd', 'e', 'f'].map(colour)).size).toBeGreaterThan(3);
  });
});

describe('doing', () => {
  const words = (state: Parameters<typeof doing>[0], theirs: string | null) =>
    doing(state, theirs, 'Europe/Lisbon', NOW);
  it('shows the end of work by their clock', () => {
    expect(words({ state: 'works', until: '2026-11-16T11:00:00Z' }, 'Asia/Taipei')).toBe('works until 19:00');
  });
  it('shows a start by mine, and says so', () => {
    const state = { state: 'starts', at: '2026-11-16T14:00:00Z' } as const;
    expect(words(state, 'America/Mexico_City')).toBe('starts 14:00 your time');
    expect(words(state, 'Europe/Lisbon')).toBe('starts 14:00');
  });
  it('shows focus, leave and nothing known', () => {
    expect(words({ state: 'focusing', until: null }, null)).toBe('focusing');
    expect(words({ state: 'away', until: '2026-11-19T08:00:00Z' }, 'Africa/Lagos')).toBe('away until Thu');
    expect(words({ state: 'unknown' }, null)).toBe('keeps no hours');
  });
});

it('speaks of somebody by the first name', () => {
  expect(firstName('Mei Lin')).toBe('Mei');
  expect(firstName('ops@example.org')).toBe('ops');
});
