/** The sample inbox: rows as the lists show them. */
import type { Row, SourceKind, Urgency } from '../bindings';
import { hour } from './people';

interface Some {
  title: string;
  people: string;
  note?: string;
  urgency?: Urgency;
  source?: SourceKind;
  due?: string;
  at?: string;
  unread?: boolean;
  why?: string;
  held?: boolean;
}

function row(id: string, group: Row['group'], some: Some): Row {
  return {
    id, group,
    title: some.title,
    urgency: some.urgency ?? 'yellow',
    source: some.source ?? 'team',
    private: false,
    people: some.people,
    note: some.note ?? '',
    why: some.why ?? null,
    due: some.due ?? null,
    at: some.at ?? hour(8),
    unread: some.unread ?? false,
    held: some.held ?? false, snoozed_until: null, muted: false, done: false, unreadable: null,
  };
}

const FEEDS: Array<[string, string]> = [
  ['Servo in October: named grid lines and faster tables', 'servo.org'],
  ['What changed in WebKitGTK 2.50', 'webkitgtk.org'],
  ['Time zone database 2026c', 'iana.org'],
  ['Async Rust in small steps', 'without.boats'],
  ['A calmer release process', 'jvns.ca'],
  ['Postgres 18.2, 17.8 and 16.12', 'postgresql.org'],
];

/** Everything that is not done or snoozed. */
export function inbox(): Row[] {
  return [
    row('release', 'due_today', {
      title: 'Release blocked: signing certificate expires at noon', people: 'Kofi Mensah', urgency: 'red',
      due: hour(12 + 6 / 60), at: hour(9.9), unread: true, why: 'came through: on your list',
    }),
    row('sync', 'due_today', {
      title: 'Review the sync API draft before we freeze it', people: 'Mei Lin', note: '1 of 3 answered',
      due: hour(15), at: hour(8 + 40 / 60),
    }),
    row('contract', 'due_today', {
      title: 'Re: Contract for the usability study', people: 'Ines Duarte', source: 'imap',
      note: 'Attached is the version with your changes', due: hour(17.5), at: hour(10.2), unread: true, held: true,
    }),
    row('race', 'due_later', {
      title: 'Fix race in cursor paging (#482)', people: 'GitHub', source: 'imap',
      note: 'review requested · meantime/server', due: hour(11, 1), at: hour(10.1), unread: true, held: true,
    }),
    row('zone', 'due_later', {
      title: 'Which zone do we quote in incident reports?', people: 'Tomás Ruiz', note: 'decision, 2 options',
      due: hour(14, 1), at: hour(22, -1),
    }),
    row('onboarding', 'due_later', {
      title: 'Onboarding notes for Priya’s first week', people: 'Sara Okafor', note: 'update', urgency: 'green',
      due: hour(17, 2), at: hour(15, -3),
    }),
    row('invoice', 'due_later', {
      title: 'Invoice 2026-118', people: 'Hosting GmbH', source: 'imap', urgency: 'green',
      note: 'Your invoice for November is ready', due: hour(12, 3), at: hour(7.1), unread: true,
    }),
    row('sqlite', 'for_information', {
      title: 'SQLite 3.54.1 released', people: 'sqlite.org news', source: 'feed', urgency: 'green',
      at: hour(8.3), unread: true,
    }),
    row('audit', 'for_information', {
      title: 'Notes from the accessibility audit', people: 'Jonas Weber', note: 'update, 4 pages',
      urgency: 'green', at: hour(14, -3),
    }),
    { ...row('broken', 'for_information', {
      title: 'A message could not be read', people: 'newsletter@example.net', source: 'imap', urgency: 'green',
      note: '', at: hour(13, -3),
    }), unreadable: 'its parts are nested deeper than 100 levels' },
    ...FEEDS.flatMap(([title, people], i) => [0, 1, 2].map((n) => row(`feed-${i}-${n}`, 'for_information', {
      title: n === 0 ? title : `${title} (part ${n + 1})`, people, source: 'feed', urgency: 'green',
      at: hour(20 - i, -3 - n - i), unread: n === 0,
    }))),
  ];
}

/** A list long enough to scroll for a day. */
export function many(count: number): Row[] {
  return Array.from({ length: count }, (_, i) => row(`many-${i}`, 'for_information', {
    title: `Notice ${i + 1} of the long list`, people: 'archive', source: 'archive', urgency: 'green', at: hour(0, -1 - (i % 90)),
  }));
}

/** What the other lists hold. */
export const waiting = (): Row[] => [
  row('w1', null, { title: 'Where do attachments live?', people: 'you, to Kofi Mensah', note: 'due Tue 12:00 Kofi’s time', at: hour(16, -3) }),
  row('w2', null, { title: 'Names for the second release', people: 'you, to Mei Lin and Jonas Weber', note: '0 of 2 answered', urgency: 'green', at: hour(11, -4) }),
  row('w3', null, { title: 'Re: Room for the workshop', people: 'you, to Ines Duarte', source: 'imap', at: hour(12, -5) }),
];

export const later = (): Row[] => [
  ['l1', 'Plan for the December freeze', hour(9, 1)],
  ['l2', 'Renew the domain', hour(9, 2)],
  ['l3', 'Read: how others do on-call', hour(18, 0)],
  ['l4', 'Interview guide, second version', hour(9, 3)],
  ['l5', 'Budget for devices', hour(9, 7)],
].map(([id, title, until]) => ({ ...row(id ?? '', null, { title: title ?? '', people: 'Priya Nair' }), snoozed_until: until ?? null }));
