import { describe, expect, it } from 'vitest';
import * as time from './time';

const LISBON = 'Europe/Lisbon';
/** Monday, 10:26 in Lisbon. */
const NOW = '2026-11-16T10:26:00Z';

describe('clock and day', () => {
  it('follow the zone', () => {
    expect(time.clock(NOW, LISBON)).toBe('10:26');
    expect(time.clock(NOW, 'Asia/Taipei')).toBe('18:26');
    expect(time.clock(NOW, 'Asia/Kolkata')).toBe('15:56');
    expect(time.day('2026-11-16T23:30:00Z', 'Asia/Taipei')).toBe('2026-11-17');
  });
  it('show midnight as 00', () => {
    expect(time.clock('2026-11-16T00:00:00Z', LISBON)).toBe('00:00');
  });
  it('survive a zone nobody knows and a time that is none', () => {
    expect(time.clock(NOW, 'Mars/Olympus')).toBe('10:26');
    expect(time.clock('soon', LISBON)).toBe('00:00');
  });
});

describe('instant', () => {
  it('is the inverse of clock and day', () => {
    expect(time.instant('2026-11-17', '09:30', 'Asia/Taipei').toISOString()).toBe('2026-11-17T01:30:00.000Z');
    expect(time.instant('2026-07-01', '09:00', LISBON).toISOString()).toBe('2026-07-01T08:00:00.000Z');
  });
  it('moves a time in the spring gap behind it', () => {
    expect(time.clock(time.instant('2026-03-29', '01:30', LISBON), LISBON)).toBe('02:30');
  });
  it('takes the first of a time that occurs twice', () => {
    expect(time.instant('2026-10-25', '01:30', LISBON).toISOString()).toBe('2026-10-25T00:30:00.000Z');
  });
});

describe('due', () => {
  const due = (at: string) => time.due(at, LISBON, NOW);
  it('says what is left when it is soon', () => {
    expect(due('2026-11-16T12:06:00Z')).toEqual({ text: '1 h 40 min', tone: 'soon' });
  });
  it('says the time today, the weekday within a week, the date beyond', () => {
    expect(due('2026-11-16T15:00:00Z')).toEqual({ text: '15:00', tone: 'later' });
    expect(due('2026-11-17T11:00:00Z').text).toBe('Tue 11:00');
    expect(due('2026-11-24T11:00:00Z').text).toBe('24 Nov 11:00');
    expect(due('2027-01-04T11:00:00Z').text).toBe('4 Jan 2027 11:00');
  });
  it('says how late it is', () => {
    expect(due('2026-11-16T08:26:00Z')).toEqual({ text: '2 h late', tone: 'late' });
    expect(due('2026-11-12T08:26:00Z').text).toBe('4 d late');
  });
});

describe('phrases', () => {
  it('name yesterday and tomorrow', () => {
    expect(time.spoken('2026-11-15T01:12:00Z', LISBON, NOW)).toBe('yesterday 01:12');
    expect(time.spoken('2026-11-16T08:40:00Z', LISBON, NOW)).toBe('08:40 today');
    expect(time.spoken('2026-11-17T09:00:00Z', LISBON, NOW)).toBe('tomorrow 09:00');
  });
  it('tell an age', () => {
    expect(time.age('2026-11-16T10:25:40Z', LISBON, NOW)).toBe('now');
    expect(time.age('2026-11-16T08:20:00Z', LISBON, NOW)).toBe('2 h');
    expect(time.age('2026-11-13T08:20:00Z', LISBON, NOW)).toBe('Fri');
    expect(time.age('2026-11-02T08:20:00Z', LISBON, NOW)).toBe('2 Nov');
  });
  it('tell durations', () => {
    expect(time.duration(40 * 60_000)).toBe('40 min');
    expect(time.duration(2 * 3_600_000)).toBe('2 h');
    expect(time.duration(26.5 * 3_600_000)).toBe('26 h');
    expect(time.duration(-5)).toBe('0 min');
  });
  it('spell a moment out', () => {
    expect(time.full('2026-11-17T11:00:00Z', LISBON)).toBe('Tuesday 17 November 2026, 11:00 (Lisbon)');
    expect(time.city('America/Mexico_City')).toBe('Mexico City');
  });
  it('compare wall clocks', () => {
    expect(time.sameClock(LISBON, 'Africa/Accra', NOW)).toBe(true);
    expect(time.sameClock(LISBON, 'Africa/Lagos', NOW)).toBe(false);
  });
});

describe('calendar days', () => {
  it('count', () => {
    expect(time.addDays('2026-12-31', 1)).toBe('2027-01-01');
    expect(time.daysBetween('2026-10-24', '2026-10-26')).toBe(2);
    expect(time.weekday('2026-11-16')).toBe(0);
    expect(time.weekday('2026-11-22')).toBe(6);
  });
});
