/** A team of seven on a Monday at 10:26 in Lisbon. */
import type { Band, PersonState, TeamPerson } from '../bindings';

/** Monday 16 November 2026, 10:26 in Lisbon (which is UTC then). */
export const START = Date.parse('2026-11-16T10:26:00Z');

/** The instant of an hour of the sample day, in Lisbon: `10.5` is 10:30. */
export function hour(h: number, days = 0): string {
  return new Date(Date.parse('2026-11-16T00:00:00Z') + (days * 24 + h) * 3_600_000).toISOString();
}

type Line = [string, string, string, string, string, PersonState, Array<[number, number, Band['kind']?, string?]>];

const LINES: Line[] = [
  ['ana', 'Ana Sousa', 'Product engineer', 'Lisbon', 'Europe/Lisbon', { state: 'works', until: hour(13) }, [[9, 13], [14, 18]]],
  ['tomas', 'Tomás Ruiz', 'Mail and calendars', 'Mexico City', 'America/Mexico_City', { state: 'starts', at: hour(14) }, [[14, 18], [19, 23]]],
  ['kofi', 'Kofi Mensah', 'Server', 'Accra', 'Africa/Accra', { state: 'focusing', until: hour(11.5) }, [[8, 9.5], [9.5, 11.5, 'focus', 'focus'], [11.5, 17]]],
  ['jonas', 'Jonas Weber', 'Accessibility', 'Berlin', 'Europe/Berlin', { state: 'works', until: hour(11) }, [[7.5, 11], [12, 15.5]]],
  ['sara', 'Sara Okafor', 'Operations', 'Lagos', 'Africa/Lagos', { state: 'away', until: hour(8, 3) }, [[8, 17, 'away', 'leave until Thu']]],
  ['priya', 'Priya Nair', 'Research', 'Bengaluru', 'Asia/Kolkata', { state: 'works', until: hour(13) }, [[4, 8], [8.75, 13]]],
  ['mei', 'Mei Lin', 'Protocol', 'Taipei', 'Asia/Taipei', { state: 'works', until: hour(11) }, [[2, 6], [7, 11]]],
];

/** Everybody as the team page shows them, with Ana's focus block if one runs. */
export function people(block: { since: string; until: string | null } | null, day: string): TeamPerson[] {
  const shift = (Date.parse(`${day}T00:00Z`) - Date.parse('2026-11-16T00:00Z')) / 86_400_000;
  return LINES.map(([id, name, title, city, zone, state, spans]) => {
    const bands: Band[] = spans
      .filter(([, , kind]) => shift === 0 || kind !== 'focus')
      .map(([a, b, kind = 'work', label = '']) => ({ span: { start: hour(a, shift), end: hour(b, shift) }, kind, label }));
    const focused = id === 'ana' && block;
    if (focused && shift === 0) {
      bands.push({ span: { start: block.since, end: block.until ?? hour(13) }, kind: 'focus', label: '' });
    }
    return {
      id, name, you: id === 'ana', title, city, zone, bands: shift % 7 >= 5 || shift % 7 === -1 ? [] : bands,
      state: focused ? { state: 'focusing', until: block.until } : state,
    };
  });
}
