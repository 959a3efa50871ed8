// long: every command once, over what they share
/**
 * The engine in miniature, for tests and demos: every command over sample
 * data, kept in memory. It decides nothing that matters: due times and
 * overlaps are fixed, not computed.
 */
import type { LinkTarget } from '../link';
import type {
  Account, Action, AnswerDraft, Attached, AttachedFile, Commands, Conversation, Deliver, Device, Event, Failure, FailureCode, Hours, ItemId, MessageView, Refusal, Row,
  SecretsState, Sending, Settings, SignInInfo, Status, TeamMember, ThreadDraft, Undoable, Unsent, View,
} from '../bindings';
import { AUTHENTICATOR } from './authenticator';
import { conversation, LOGO, owesNothing, RECIPIENTS } from './conversations';
import { moment } from '../../parts/time';
import { hour, people, START } from './people';
import { inbox, later, many, waiting } from './rows';

const ZONE = 'Europe/Lisbon';

type Handlers = { [K in keyof Commands]: (args: Commands[K]['args']) => Commands[K]['reply'] };
export type Scene = 'day' | 'empty' | 'first' | 'offline' | 'digest' | 'trouble' | 'long' | 'unwell' | 'out';

function fail(code: FailureCode, message: string): never {
  throw { code, message } satisfies Failure;
}

/** What arrives at the other end of the IPC: JSON. */
function wire<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

export class Memory {
  /** What was called, in order: tests look at it. */
  calls: Array<{ name: keyof Commands; args: unknown }> = [];
  opened: string[] = [];
  #hear = new Set<(event: Event) => void>();
  #loaded = Date.now();
  #lists: Record<View, Row[]>;
  #drafts = new Map<ItemId | null, string>();
  #answers = new Map<ItemId, AnswerDraft>();
  #thread: ThreadDraft | null = null;
  #files = new Map<ItemId | null, AttachedFile[]>();
  #saved: string[] = [];
  #sent = new Map<ItemId, MessageView[]>();
  #undo: Array<{ what: string; item: ItemId | null; back: () => void }> = [];
  #block: { id: string; since: string; until: string | null; held: number; messages: number } | null;
  #status: Pick<Status, 'first_run' | 'me' | 'connection' | 'damage' | 'notifications'>;
  #settings: Settings = {
    may_interrupt: ['kofi'], may_interrupt_addresses: ['ines@studies.example.org'], focus_minutes: 50,
    notification_content: true, letter_keys: true, theme: 'system', density: 'comfortable', autostart: false,
  };
  #hours: Hours = {
    proposed: false,
    schedule: {
      zone: 'Europe/Lisbon',
      weekly: {
        mon: [['09:00', '13:00'], ['14:00', '18:00']], tue: [['09:00', '13:00'], ['14:00', '18:00']],
        wed: [['09:00', '13:00']], thu: [['09:00', '13:00'], ['14:00', '18:00']],
        fri: [['09:00', '13:00'], ['14:00', '16:00'], ['20:00', '22:00']],
      },
      time_off: [{ from: '2026-11-27', to: '2026-11-27' }, { from: '2026-12-23', to: '2027-01-02' }],
    } as Hours['schedule'],
  };
  #accounts: Account[] = [
    { id: 'a0', kind: 'team', name: 'Meantime', state: { state: 'fine' }, checked_at: hour(10.2), pending: 0 },
    { id: 'a1', kind: 'imap', name: 'ana@example.org', state: { state: 'fine' }, checked_at: hour(10.4), pending: 0 },
    { id: 'a2', kind: 'feed', name: 'sqlite.org news', state: { state: 'fine' }, checked_at: hour(10.1), pending: 0 },
  ];
  #devices: Device[] = [
    { id: 'd1', name: 'ana-laptop', since: hour(9, -120), seen_at: hour(10), this: true },
    { id: 'd2', name: 'studio', since: hour(15, -40), seen_at: hour(7), this: false },
    { id: 'd3', name: 'old-notebook', since: hour(11, -300), seen_at: hour(12, -34), this: false },
  ];
  #signIn: SignInInfo = { server: 'team.example.org:8787', login: 'ana', totp: false };
  #members: TeamMember[] = [
    ...people(null, '2026-11-16').map((p, i): TeamMember => ({
      id: p.id, name: p.name, you: p.you, role: i === 0 ? 'owner' : i === 2 ? 'admin' : 'member', removed_at: null,
    })),
    { id: 'ines', name: 'Inês Duarte', you: false, role: 'guest', removed_at: null },
    { id: 'tom', name: 'Tom Baker', you: false, role: 'member', removed_at: hour(15, -12) },
  ];
  #refusals: Refusal[] = [];
  #secrets: SecretsState = { kept: 'keyring' };

  constructor(readonly scene: Scene = 'day') {
    const none = scene === 'empty' || scene === 'first';
    this.#lists = { inbox: none ? [] : inbox(), waiting: scene === 'first' ? [] : waiting(), later: scene === 'first' ? [] : later(), done: [] };
    if (scene === 'long') this.#lists.inbox.push(...many(100_000));
    this.#block = none || scene === 'digest' ? null : { id: 'b1', since: hour(10), until: hour(10 + 50 / 60), held: 12, messages: 12 };
    this.#status = {
      first_run: scene === 'first',
      me: scene === 'first' ? null : { id: 'ana', name: 'Ana Sousa', city: 'Lisbon', team: 'Meantime' },
      connection: scene === 'first' ? { state: 'none' } : { state: 'live' },
      notifications: null,
    };
    if (scene === 'digest') {
      this.#lists.inbox = this.#lists.inbox.map((r, i) => (i < 4 ? { ...r, group: 'held', why: r.why ?? 'held while you focused' } : r));
    }
    if (scene === 'offline') {
      this.#status.connection = { state: 'offline', since: hour(9.75), message: 'The team server can’t be reached' };
    }
    if (scene === 'out') {
      const message = 'This device was signed out of the team. Sign in again, or ask for a new link. What you wrote is kept here and goes out then.';
      this.#status.connection = { state: 'refused', message, signed_out: true };
    }
    if (scene === 'trouble' || scene === 'unwell') this.#trouble();
  }

  now(): number {
    return START + (Date.now() - this.#loaded);
  }

  async call<K extends keyof Commands>(name: K, args: Commands[K]['args']): Promise<Commands[K]['reply']> {
    this.calls.push({ name, args: wire(args) });
    await Promise.resolve();
    if (this.scene === 'unwell' && name === 'inbox') fail('internal', 'The database can’t be read. Start Meantime again; nothing is lost.');
    return wire(this.#handlers[name](wire(args)));
  }

  listen(hear: (event: Event) => void): () => void {
    this.#hear.add(hear);
    return () => this.#hear.delete(hear);
  }

  async lookAtLink(url: string): Promise<LinkTarget> {
    const to = new URL(url);
    return { url: to.href, to: to.host || to.pathname, mail: to.protocol === 'mailto:' };
  }

  async attachFile(item: ItemId | null, file: File): Promise<Attached> {
    await Promise.resolve();
    if (file.name === 'locked.pdf') fail('not_possible', 'locked.pdf can’t be read: you have no right to it or its folder');
    const added = { sha256: `${file.name}/${file.size}`, name: file.name, media_type: file.type || 'application/octet-stream', bytes: file.size };
    const files = [...(this.#files.get(item) ?? []).filter((f) => f.sha256 !== added.sha256), added];
    this.#files.set(item, files);
    return wire({ added: [added], files });
  }

  async openLink(url: string): Promise<void> {
    this.opened.push(url);
  }

  /** Plays an event, as the engine would send it. */
  emit(event: Event): void {
    for (const hear of this.#hear) hear(event);
  }

  #changed(...tags: Array<'inbox' | 'team' | 'focus' | 'accounts' | 'settings' | 'status'>): void {
    queueMicrotask(() => this.emit({ event: 'changed', tags: tags.map((tag) => ({ tag })) }));
  }

  #trouble(): void {
    this.#accounts[1] = { ...this.#accounts[1]!, state: { state: 'needs_you', password: true, message: 'mail.example.org refused the password. Give the new one.' } };
    this.#accounts[2] = { ...this.#accounts[2]!, state: { state: 'retrying', since: hour(9.3), again: hour(10.3), message: 'sqlite.org did not answer within 30 seconds' } };
    this.#refusals = [{ id: 1, item: 'sync', what: 'Reply to Review the sync API draft before we freeze it', text: 'Fine with me, but please keep the epoch visible in the log.', message: 'You were removed from the space.', present: null }];
    this.#secrets = { kept: 'undecided', message: 'No keyring answers on this computer.' };
    this.#status.damage = [{
      at: hour(8.9),
      text: 'The database was damaged; a new one took its place. Kept: 3 accounts, 214 conversations. Messages are fetched again; nothing is left for you to do. The damaged file is /home/ana/.local/share/meantime/meantime.db.damaged: keep it until you have seen that nothing is missing.',
      file: '/home/ana/.local/share/meantime/meantime.db.damaged',
    }];
    this.#status.notifications = 'No notification service is running';
  }

  #find(id: ItemId): Row {
    const row = Object.values(this.#lists).flat().find((r) => r.id === id || r.id.endsWith(id));
    return row ?? fail('not_found', 'This conversation does not exist any more.');
  }

  #move(ids: ItemId[], to: View, change: Partial<Row>): void {
    const before = { ...this.#lists };
    const moved = ids.map((id) => ({ ...this.#find(id), ...change }));
    for (const view of ['inbox', 'waiting', 'later', 'done'] as const) {
      this.#lists[view] = this.#lists[view].filter((r) => !ids.includes(r.id));
    }
    this.#lists[to] = [...moved, ...this.#lists[to]];
    const until = moved[0]?.snoozed_until;
    const what = to === 'done' ? 'Done' : to === 'later' && until ? `Snoozed until ${moment(until, ZONE, this.now())}` : 'Back in the inbox';
    this.#remember(`${what}: ${moved[0]?.title}`, ids, () => (this.#lists = before));
  }

  #patch(ids: ItemId[], what: string, change: Partial<Row>): void {
    const before = { ...this.#lists };
    for (const view of ['inbox', 'waiting', 'later', 'done'] as const) {
      this.#lists[view] = this.#lists[view].map((r) => (ids.includes(r.id) ? { ...r, ...change } : r));
    }
    this.#remember(`${what}: ${this.#find(ids[0] ?? '').title}`, ids, () => (this.#lists = before));
  }

  #remember(what: string, ids: ItemId[], back: () => void): void {
    const words = ids.length > 1 ? what.replace(/: .*/, `: ${ids.length} items`) : what;
    this.#undo.push({ what: words, item: ids[0] ?? null, back });
  }

  /** Where something is that was taken back. */
  #isNow(what: string, item: ItemId | null): string {
    if (what.startsWith('Sent')) return 'Not sent, the text is yours again';
    const row = this.#find(item ?? '');
    if (row.done) return 'Done again';
    return row.snoozed_until ? `Snoozed again until ${moment(row.snoozed_until, ZONE, this.now())}` : 'Back in the inbox';
  }

  #triage(ids: ItemId[], action: Action): void {
    switch (action.do) {
      case 'done': return this.#move(ids, 'done', { done: true });
      case 'not_done': return this.#move(ids, 'inbox', { done: false });
      case 'snooze': return this.#move(ids, 'later', { snoozed_until: action.until });
      case 'snooze_for': {
        const match = /^(\d+)\s*h$/.exec(action.words);
        if (!match && action.words !== 'tomorrow') fail('invalid', `“${action.words}” is no time I understand: try 3h, 2d, tomorrow, monday or 2026-12-24 09:00.`);
        return this.#move(ids, 'later', { snoozed_until: match ? hour(10.5 + Number(match[1])) : hour(9, 1) });
      }
      // Reading is no step to take back.
      case 'read':
      case 'unread': {
        this.#patch(ids, 'Read', { unread: action.do === 'unread' });
        this.#undo.pop();
        return;
      }
      case 'mute': return this.#patch(ids, 'Muted', { muted: true });
      case 'unmute': return this.#patch(ids, 'No longer muted', { muted: false });
      case 'urgency': return this.#patch(ids, 'Urgency', { urgency: action.urgency });
    }
  }

  #undoable(until: string | null = null, sending: Sending | null = null): Undoable {
    const last = this.#undo.at(-1);
    return { what: last?.what ?? '', item: last?.item ?? null, until, sending };
  }

  #sending(deliver: Deliver): Sending {
    return deliver.when === 'now' ? { state: 'pending' } : { state: 'scheduled', at: deliver.when === 'at' ? deliver.at : hour(14) };
  }

  #handlers: Handlers = {
    status: () => ({
      version: '0.1.0', zone: 'Europe/Lisbon', other_zone: null, state: { state: 'works', until: hour(18) },
      ...this.#status,
      focus: this.#handlers.focus_status({}),
      counts: {
        inbox: this.#lists.inbox.filter((r) => r.group !== 'for_information' && !(this.#block && r.held)).length,
        waiting: this.#lists.waiting.length, later: this.#lists.later.length,
        pending: this.scene === 'offline' ? 2 : 0,
      },
      refusals: this.#refusals.length,
      broken_accounts: this.#accounts.filter((a) => a.state.state === 'needs_you').length,
      unreachable: this.#accounts.flatMap(({ name, state }) => (state.state === 'retrying' ? [{ name, since: state.since, message: state.message }] : [])),
      secrets: this.#secrets,
    }),
    damage_seen: () => {
      delete this.#status.damage;
      this.#changed('status');
      return {};
    },
    inbox: ({ view, offset, limit }) => {
      const all = this.#lists[view];
      const groups = view !== 'inbox' ? [] : (['held', 'due_today', 'due_later', 'for_information'] as const)
        .map((group) => ({ group, count: all.filter((r) => r.group === group).length, held: group === 'held' ? { start: hour(9), end: hour(9 + 50 / 60) } : null }))
        .filter((g) => g.count > 0);
      const sorted = view === 'inbox' ? groups.flatMap((g) => all.filter((r) => r.group === g.group)) : all;
      return { total: all.length, offset, groups, rows: sorted.slice(offset, offset + limit) };
    },
    open: ({ id }): Conversation => {
      const found = conversation(this.#find(id));
      const draft = this.#drafts.has(id) ? (this.#drafts.get(id) ?? null) : found.draft;
      return { ...found, draft, draft_files: this.#files.get(id) ?? [], draft_answer: this.#answers.get(id) ?? found.draft_answer, messages: [...found.messages, ...(this.#sent.get(id) ?? [])] };
    },
    triage: ({ ids, action }) => {
      if (ids.length === 0) fail('invalid', 'Nothing is chosen.');
      this.#triage(ids, action);
      this.#changed('inbox', 'status');
      return action.do === 'read' || action.do === 'unread' ? { what: 'Read', item: ids[0] ?? null, until: null, sending: null } : this.#undoable();
    },
    undo: () => {
      const last = this.#undo.pop() ?? fail('not_possible', 'There is nothing to take back.');
      last.back();
      const { item } = last;
      if (item) queueMicrotask(() => this.emit({ event: 'changed', tags: [{ tag: 'item', id: item }] }));
      this.#changed('inbox', 'status');
      return { what: last.what, said: last.what.replace(/^.*?(?=: )/, this.#isNow(last.what, item)), item };
    },
    snooze_choices: () => [
      { label: 'In 3 hours', until: hour(13.5) },
      { label: 'This evening', until: hour(17) },
      { label: 'When I start tomorrow', until: hour(9, 1) },
      { label: 'On Wednesday', until: hour(9, 2) },
      { label: 'On Monday', until: hour(9, 7) },
    ],
    search: ({ words, before, limit }) => {
      const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
      if (wanted.length === 0) return { hits: [], next: null };
      const all = Object.values(this.#lists).flat().map((row) => ({ row, text: `${row.title}: ${row.note || row.people}` }))
        .filter(({ text }) => wanted.every((w) => text.toLowerCase().includes(w)))
        .sort((a, b) => b.row.at.localeCompare(a.row.at));
      const from = before ?? 0;
      const split = new RegExp(`(${wanted.map((w) => w.replace(/[^\p{L}\p{N}]/gu, '\\$&')).join('|')})`, 'i');
      return {
        hits: all.slice(from, from + limit).map(({ row, text }) => ({ row, at: row.at, author: row.people, excerpt: text.split(split) })),
        next: from + limit < all.length ? from + limit : null,
      };
    },
    draft: ({ item }) => ({ text: this.#drafts.get(item) ?? '', thread: item === null ? this.#thread : null, files: this.#files.get(item) ?? [] }),
    save_draft: ({ item, text, thread, answer }) => {
      this.#drafts.set(item, text);
      if (item && answer) this.#answers.set(item, answer);
      if (thread) this.#thread = thread;
      return {};
    },
    attach: () => fail('invalid', 'The window names no files of this computer.'),
    detach: ({ item, sha256 }) => {
      this.#files.set(item, (this.#files.get(item) ?? []).filter((f) => f.sha256 !== sha256));
      return this.#handlers.draft({ item });
    },
    save_attachment: ({ item, message, index }) => {
      const file = this.#handlers.open({ id: item }).messages.find((m) => m.id === message)?.attachments[index];
      if (!file?.can_save) return fail('not_found', 'there is no such attachment');
      if (this.scene === 'offline') fail('offline', `${file.name} could not be fetched: team.example.org can’t be reached. Try again: it goes on from there`);
      const times = this.#saved.filter((name) => name === file.name).length;
      this.#saved.push(file.name);
      const name = times === 0 ? file.name : file.name.replace(/(\.[^.]*)?$/, ` (${times + 1})$1`);
      return { path: `/home/ana/Downloads/${name}`, name, folder: 'Downloads' };
    },
    load_images: ({ message }) => (message === 'c1'
      ? { images: [{ address: 'https://studies.example.org/logo.png', data: LOGO }], missing: 0 }
      : { images: [], missing: 1 }),
    reply: ({ item, text, done, deliver, files, message, to }) => {
      const sending = this.#sending(deliver);
      const own: MessageView = {
        id: `own-${this.calls.length}`, author: 'Ana Sousa', address: '', reply_to: [], person: 'ana', zone: 'Europe/Lisbon', city: 'Lisbon', own: true,
        at: new Date(this.now()).toISOString(), body: { format: 'text', text }, unreadable: null, link: null,
        attachments: files.map(({ sha256: _, ...file }) => ({ ...file, can_save: true })),
        sending,
      };
      const before = this.#sent.get(item) ?? [];
      this.#sent.set(item, [...before, own]);
      this.#drafts.set(item, '');
      this.#answers.delete(item);
      this.#files.set(item, []);
      this.#remember(`Sent: ${this.#find(item).title}`, [item], () => {
        this.#sent.set(item, before);
        this.#drafts.set(item, text);
        this.#answers.set(item, { message: message ?? null, to: to ?? null, deliver });
        this.#files.set(item, files);
      });
      const told = conversation(this.#find(item)).recipients.filter((r) => r.address && (to ? to.includes(r.address) : !r.copied));
      const undoable = { ...this.#undoable(new Date(this.now() + 10_000).toISOString(), sending), to: told.map(({ name, address }) => ({ name, address })) };
      if (done) this.#move([item], 'done', { done: true });
      queueMicrotask(() => this.emit({ event: 'changed', tags: [{ tag: 'inbox' }, { tag: 'item', id: item }, { tag: 'status' }] }));
      return undoable;
    },
    compose: ({ title, urgency, asked, deliver, files }) => {
      if (urgency === 'red' && asked.length === 0) fail('invalid', 'Something urgent must ask somebody by name.');
      const [text, thread] = [this.#drafts.get(null) ?? '', this.#thread];
      this.#handlers.save_draft({ item: null, text: '', thread: null, answer: null });
      this.#thread = null;
      this.#files.set(null, []);
      this.#remember(`Sent: ${title}`, [], () => {
        this.#handlers.save_draft({ item: null, text, thread, answer: null });
        this.#files.set(null, files);
      });
      return this.#undoable(new Date(this.now() + 10_000).toISOString(), this.#sending(deliver));
    },
    recipients: ({ people: ids }) => (ids.length === 0
      ? RECIPIENTS.map(owesNothing)
      : RECIPIENTS.filter((r) => r.person && ids.includes(r.person))),
    refusals: () => this.#refusals,
    settle_refusal: ({ id }) => {
      this.#refusals = this.#refusals.filter((r) => r.id !== id);
      this.#changed('status');
      return {};
    },
    focus_start: ({ minutes, extend }) => {
      const from = extend && this.#block?.until ? Date.parse(this.#block.until) : this.now();
      const until = minutes === null ? null : new Date(from + minutes * 60_000).toISOString();
      this.#block = { id: 'b1', held: 0, messages: 0, since: new Date(this.now()).toISOString(), ...(extend ? this.#block : {}), until };
      this.#changed('focus', 'team', 'status');
      return this.#handlers.focus_status({});
    },
    focus_stop: () => {
      if (!this.#block) fail('not_possible', 'No focus block is running.');
      this.#block = null;
      this.#lists.inbox = this.#lists.inbox.map((r) => (r.held ? { ...r, held: false, group: 'held' } : r));
      this.#changed('focus', 'team', 'status', 'inbox');
      return this.#handlers.focus_status({});
    },
    focus_toggle: () => (this.#block ? this.#handlers.focus_stop({}) : this.#handlers.focus_start({ minutes: this.#settings.focus_minutes, extend: false })),
    focus_status: () => ({ block: this.#block, usual_minutes: this.#settings.focus_minutes }),
    team: ({ day }) => {
      const shown = day ?? '2026-11-16';
      const start = Date.parse(`${shown}T00:00:00Z`);
      return {
        team: this.#status.me?.team ?? null, zone: 'Europe/Lisbon', now: new Date(this.now()).toISOString(),
        day: { start: new Date(start).toISOString(), end: new Date(start + 86_400_000).toISOString() },
        people: this.#status.me ? people(this.#block, shown) : [],
        notes: ['Bengaluru has a public holiday on Wednesday.', 'Clocks change in Mexico City’s border towns on Sunday; Tomás is not affected.'],
      };
    },
    overlap: ({ people: ids, minutes }) => {
      const none = ids.includes('sara') || ids.includes('tomas');
      return {
        day: none || ids.length < 2 ? [] : [{ start: hour(10 + 50 / 60), end: hour(11) }],
        next: { start: hour(9.5, 1), end: new Date(Date.parse(hour(9.5, 1)) + minutes * 60_000).toISOString() },
        text: 'Tue 17 Nov: 09:30 Lisbon, 09:30 Accra, 17:30 Taipei, 10:30 Berlin, 15:00 Bengaluru',
      };
    },
    hours: () => this.#hours,
    set_hours: (hours) => {
      this.#hours = { ...hours, proposed: false };
      this.#changed('settings', 'team', 'status');
      return {};
    },
    settings: () => this.#settings,
    set_settings: (settings) => {
      this.#settings = settings;
      this.#changed('settings');
      return {};
    },
    accounts: () => this.#accounts,
    add_account: (account) => {
      if (account.kind === 'imap' && account.password === 'wrong') fail('auth', `${account.imap.host} refused the password. Check the user name and the password.`);
      const added: Account = {
        id: `a${this.#accounts.length + 1}`, kind: account.kind, name: account.kind === 'imap' ? account.address : account.url,
        state: { state: 'reading', messages: 0 }, checked_at: null, pending: 0,
      };
      this.#accounts = [...this.#accounts, added];
      this.#status.first_run = false;
      this.#changed('accounts', 'status');
      return added;
    },
    check_account: ({ id }) => this.#settle(id),
    sign_in_account: ({ id, password }) => (password === 'wrong' ? fail('auth', 'The password was refused again.') : this.#settle(id)),
    unsent: ({ id }) => this.#unsent(id),
    remove_account: ({ id, lose_unsent }) => {
      const lost = this.#unsent(id);
      if (lost.texts.length > 0 && !lose_unsent) fail('not_possible', 'With it would be lost what was never sent.');
      this.#accounts = this.#accounts.filter((a) => a.id !== id);
      this.#changed('accounts', 'inbox', 'status');
      return lost;
    },
    import_mail: () => ({ added: 12, known: 0, unreadable: 0 }),
    look_at_invite: ({ link }) => (link.startsWith('meantime://join#') || link.startsWith('https://')
      ? { team: 'Meantime', host: 'team.example.org', pinned: true }
      : fail('invalid', 'This is no invite link: it begins with meantime://join or https://.')),
    join: () => this.#joined(),
    sign_in: ({ password, code }) => {
      if (password === 'wrong') fail('auth', 'the name, the password or the code is wrong');
      if (password === 'with a code' && code === null) fail('code_needed', 'the code of your authenticator is needed as well');
      return this.#joined();
    },
    devices: () => this.#devices,
    end_device: ({ id }) => {
      this.#devices = this.#devices.filter((d) => d.id !== id);
      return {};
    },
    device_link: () => this.#link(0.25),
    sign_in_info: () => this.#signIn,
    set_password: ({ login, current }) => {
      if (current === 'wrong') fail('auth', 'the name, the password or the code is wrong');
      return (this.#signIn = { ...this.#signIn, login });
    },
    totp_begin: ({ password }) => (password === 'wrong' ? fail('auth', 'the name, the password or the code is wrong') : AUTHENTICATOR),
    totp_confirm: ({ code }) => (code === '000000' ? fail('auth', 'the name, the password or the code is wrong') : (this.#signIn = { ...this.#signIn, totp: true })),
    totp_end: () => (this.#signIn = { ...this.#signIn, totp: false }),
    members: () => ({ may_give: ['owner', 'admin', 'member', 'guest'], members: this.#members }),
    set_role: ({ person, role }) => {
      this.#members = this.#members.map((m) => (m.id === person ? { ...m, role } : m));
      return {};
    },
    remove_member: ({ person }) => {
      this.#members = this.#members.map((m) => (m.id === person ? { ...m, removed_at: new Date(this.now()).toISOString() } : m));
      return {};
    },
    member_link: () => this.#link(72),
    invite: ({ valid_hours }) => this.#link(valid_hours),
    start_sample: () => this.#joined(),
    secrets: () => this.#secrets,
    choose_secrets: (choice) => {
      this.#secrets = choice.keep === 'file' ? { kept: 'file', locked: false } : { kept: choice.keep };
      this.#changed('status');
      return this.#secrets;
    },
  };

  #link(hours: number) {
    return { link: 'meantime://join#v=1&host=team.example.org%3A8787&secret=AAAAAAAAAAAAAAAAAAAAAA&team=Meantime', expires_at: new Date(this.now() + hours * 3_600_000).toISOString() };
  }

  /** The mailbox has what waits in the contract, and what was refused. */
  #unsent(id: string): Unsent {
    const account = this.#accounts.find((a) => a.id === id);
    if (account?.kind !== 'imap') return { texts: [], changes: account?.pending ?? 0 };
    const refused = this.#refusals.map((r) => ({ title: r.what, state: 'refused' as const, text: r.text }));
    const draft = this.#drafts.get('contract');
    const typed = draft ? [{ title: this.#find('contract').title, state: 'draft' as const, text: draft }] : [];
    return { texts: [...typed, ...refused], changes: account.pending };
  }

  #settle(id: string): Account {
    this.#accounts = this.#accounts.map((a) => (a.id === id ? { ...a, state: { state: 'fine' }, checked_at: new Date(this.now()).toISOString() } : a));
    this.#changed('accounts', 'status');
    return this.#accounts.find((a) => a.id === id) ?? fail('not_found', 'This account was removed.');
  }

  #joined() {
    this.#status = { first_run: false, me: { id: 'ana', name: 'Ana Sousa', city: 'Lisbon', team: 'Meantime' }, connection: { state: 'live' }, notifications: null };
    this.#lists = { inbox: inbox(), waiting: waiting(), later: later(), done: [] };
    this.#changed('inbox', 'team', 'status', 'settings');
    return { person: 'ana', team: 'Meantime' };
  }
}
