import { describe, expect, it } from 'vitest';
import type { Schedule } from '../host';
import { drawn, length, moved, next, overlap, parse, resized, room, sum, withDay } from './hours';

describe('parse', () => {
  it.each([
    ['9', '09:00'], ['9:30', '09:30'], ['930', '09:30'], ['0930', '09:30'], ['9.30', '09:30'],
    ['9pm', '21:00'], ['12 am', '00:00'], ['24:00', '24:00'], [' 17 ', '17:00'],
  ])('understands %s', (typed, time) => expect(parse(typed)).toBe(time));
  it.each(['', '25', '9:75', '24:15', 'nine', '13pm', '-1'])('refuses %s', (typed) => expect(parse(typed)).toBeNull());
});

describe('a day', () => {
  it('sums up, also past midnight', () => {
    expect(sum([['09:00', '13:00'], ['14:00', '18:30']])).toBe('8 h 30');
    expect(sum([['22:00', '02:00']])).toBe('4 h');
    expect(sum([])).toBe('free');
    expect(length(['00:00', '24:00'])).toBe(1440);
  });
  it('knows an overlap from a touch', () => {
    expect(overlap([['13:00', '14:00'], ['09:00', '13:00']])).toBe(false);
    expect(overlap([['09:00', '13:15'], ['13:00', '14:00']])).toBe(true);
    expect(overlap([['22:00', '02:00'], ['23:00', '24:00']])).toBe(true);
  });
  it('offers what comes next, while there is room', () => {
    expect(next([])).toEqual(['09:00', '17:00']);
    expect(next([['09:00', '13:00']])).toEqual(['14:00', '16:00']);
    expect(next([['09:00', '22:30']])).toBeNull();
  });
});

describe('an interval', () => {
  it('moves within the day', () => {
    expect(moved(['09:00', '13:00'], 30)).toEqual(['09:30', '13:30']);
    expect(moved(['09:00', '13:00'], -6000)).toEqual(['00:00', '04:00']);
    expect(moved(['20:00', '23:00'], 600)).toEqual(['21:00', '24:00']);
    expect(moved(['22:00', '02:00'], 60)).toEqual(['22:00', '02:00']);
  });
  it('stays between its neighbours when dragged', () => {
    const others: [string, string][] = [['09:00', '13:00'], ['18:00', '20:00']];
    const between = room(others, 14 * 60);
    expect(between).toEqual([13 * 60, 18 * 60]);
    expect(moved(['14:00', '16:00'], 600, between)).toEqual(['16:00', '18:00']);
    expect(resized(['14:00', '16:00'], 'start', -600, between)).toEqual(['13:00', '16:00']);
    expect(resized(['14:00', '16:00'], 'end', 600, between)).toEqual(['14:00', '18:00']);
    expect(room(others, 10 * 60)).toEqual([0, 18 * 60]);
    expect(room([], 0)).toEqual([0, 1440]);
  });
  it('grows and shrinks, never to nothing', () => {
    expect(resized(['09:00', '13:00'], 'end', -600)).toEqual(['09:00', '09:15']);
    expect(resized(['09:00', '13:00'], 'start', 600)).toEqual(['12:45', '13:00']);
    expect(resized(['09:00', '23:00'], 'end', 600)).toEqual(['09:00', '24:00']);
  });
});

it('keeps what a schedule holds besides', () => {
  const schedule = { zone: 'Europe/Lisbon', weekly: { mon: [['09:00', '13:00']] }, time_off: [], more: 1 } as Schedule;
  const changed = withDay(schedule, 'tue', [['14:00', '15:00'], ['09:00', '10:00']]);
  expect(changed.weekly.tue).toEqual([['09:00', '10:00'], ['14:00', '15:00']]);
  expect(changed.weekly.mon).toEqual([['09:00', '13:00']]);
  expect(changed).toMatchObject({ more: 1 });
});

it('draws the end of a night on the day after', () => {
  expect(drawn([['09:00', '10:00']], [['22:00', '02:00']])).toEqual([
    { from: 0, to: 120, index: null },
    { from: 540, to: 600, index: 0 },
  ]);
  expect(drawn([['22:00', '02:00']], [])).toEqual([{ from: 1320, to: 1440, index: 0 }]);
});
