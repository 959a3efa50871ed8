import { expect, it } from 'vitest';
import type { Connection, Sending } from '../host';
import { written } from './written';

const NOW = Date.parse('2026-11-16T10:26:00Z');
const done = (sending: Sending | null) => ({ what: 'Sent: Budget: 2027', item: null, until: null, sending });
const offline: Connection = { state: 'offline', since: '2026-11-16T10:00:00Z', message: 'No route.' };
const out: Connection = { state: 'refused', message: 'Signed out.', signed_out: true };

it('says whom an answer by mail goes to', () => {
  const to = (...names: string[]) => names.map((name) => ({ name, address: `${name}@example.org` }));
  const said = (people: ReturnType<typeof to>, sending: Sending | null) => written({ ...done(sending), to: people }, undefined, 'Europe/Lisbon', NOW);
  expect(said(to('Pat'), { state: 'pending' })).toBe('Sending to Pat: Budget: 2027');
  expect(said(to('Pat', 'Sara'), null)).toBe('Sent to Pat and Sara: Budget: 2027');
  expect(said(to('Pat', 'Sara', 'Tom', ''), null)).toBe('Sent to Pat and 3 others: Budget: 2027');
});

it.each([
  [{ state: 'pending' }, { state: 'live' }, 'Sending: Budget: 2027'],
  [{ state: 'pending' }, undefined, 'Sending: Budget: 2027'],
  [{ state: 'pending' }, offline, 'Will be sent when online: Budget: 2027'],
  [{ state: 'pending' }, out, 'Will be sent when online: Budget: 2027'],
  [{ state: 'scheduled', at: '2026-11-17T09:00:00Z' }, { state: 'live' }, 'Will be delivered tomorrow 09:00: Budget: 2027'],
  [null, { state: 'live' }, 'Sent: Budget: 2027'],
] as Array<[Sending | null, Connection | undefined, string]>)('says of %j over %j: %s', (sending, line, said) => {
  expect(written(done(sending), line, 'Europe/Lisbon', NOW)).toBe(said);
});
