// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Status } from '../host';
import { reset } from '../host/memory';
import '../host/memory/document';
import { eventually } from '../host/memory/eventually';
import type { Memory } from '../host/memory/host';
import { rows } from '../inbox/rows.svelte';
import { me } from '../parts/me.svelte';
import { where } from '../parts/view.svelte';
import { search } from '../search/search.svelte';
import App from './App.svelte';

let host: Memory;
beforeEach(() => Object.assign(where, { page: 'list', list: 'inbox', open: null, overlay: null, narrow: false }));

async function start(scene: Parameters<typeof reset>[0] = 'day') {
  host = reset(scene);
  render(App);
  await eventually(() => expect(me.status?.first_run).toBe(scene === 'first'));
}
const press = (key: string, more: Partial<KeyboardEventInit> = {}) => fireEvent.keyDown(document.body, { key, ...more });
const called = (name: string) => host.calls.filter((c) => c.name === name).map((c) => c.args);

describe('keys', () => {
  beforeEach(async () => {
    await start();
    await eventually(() => expect(rows.ready).toBe(true));
  });

  it('triage, and take back', async () => {
    await press('j');
    await press('e');
    await eventually(() => expect(called('triage')).toEqual([{ ids: ['sync'], action: { do: 'done' } }]));
    expect((await screen.findAllByTestId('toast')).at(-1)?.textContent).toContain('Done: Review the sync API draft');
    await press('z');
    await eventually(() => expect(called('undo')).toHaveLength(1));
    await eventually(() => expect(rows.find('sync')).toBe(1));
    expect((await screen.findAllByTestId('toast')).at(-1)?.textContent).toContain('Back in the inbox: Review the sync API draft');
  });

  it('tell what they did beside the rows, or over what hides them', async () => {
    where.narrow = false;
    await press('e');
    const toast = await screen.findByTestId('toast');
    await eventually(() => expect(screen.getByTestId('list').nextElementSibling?.contains(toast)).toBe(true));
    await press('g');
    await press('s');
    await eventually(() => expect(toast.isConnected && toast.closest('main')).toBe(null));
    await press('g');
    await press('i');
    await eventually(() => expect(toast.closest('main')).not.toBe(null));
    where.narrow = true;
    where.open = 'sync';
    await eventually(() => expect(toast.closest('[inert]')).toBe(null));
    expect(toast.isConnected).toBe(true);
  });

  it('put off, in words that can be mended', async () => {
    await press('h');
    const field = await screen.findByTestId<HTMLInputElement>('snooze-words');
    await fireEvent.input(field, { target: { value: 'tomorow' } });
    await fireEvent.submit(field.form!);
    await eventually(() => expect(screen.getByTestId('snooze-wrong').textContent).toContain('“tomorow” is no time'));
    expect(field.value).toBe('tomorow');
    expect(screen.queryByTestId('toast')?.className ?? '').not.toContain('bad');
    await fireEvent.input(field, { target: { value: 'tomorrow' } });
    expect(screen.getByTestId('snooze-wrong').textContent).toBe('');
    await fireEvent.submit(field.form!);
    await eventually(() => expect(screen.queryByTestId('snooze')).toBeNull());
    expect((await screen.findAllByTestId('toast')).at(-1)?.textContent).toContain('Snoozed until');
    await eventually(() => expect(rows.find('release')).toBe(-1));
  });

  it('act on what was found once it is opened', async () => {
    // Beside the list, not over it.
    where.narrow = false;
    await press('/');
    const field = await screen.findByTestId<HTMLInputElement>('search-input');
    await fireEvent.input(field, { target: { value: 'contract' } });
    await fireEvent.keyDown(field, { key: 'Enter' });
    expect((await screen.findByTestId('title')).textContent).toBe('Re: Contract for the usability study');
    const grid = screen.getByTestId('hits');
    await eventually(() => expect(document.activeElement).toBe(grid));
    await fireEvent.keyDown(grid, { key: 'e' });
    await eventually(() => expect(called('triage')).toContainEqual({ ids: ['contract'], action: { do: 'done' } }));
    expect(where.open, 'it is still there to be read').toBe('contract');
    await eventually(() => expect(search.current?.row.done).toBe(true));
    await fireEvent.keyDown(grid, { key: 'r' });
    await eventually(() => expect(document.activeElement).toBe(screen.getByTestId('reply-text')));
    await press('/');
    expect(document.activeElement).toBe(field);
  });

  it('make everything larger, smaller and as usual again', async () => {
    const size = () => document.documentElement.style.fontSize;
    await press('+', { ctrlKey: true });
    await eventually(() => expect(size()).toBe('110%'));
    for (let i = 0; i < 9; i++) await press('=', { ctrlKey: true });
    await eventually(() => expect(size()).toBe('200%'));
    await press('-', { ctrlKey: true });
    await eventually(() => expect(size()).toBe('175%'));
    await press('0', { ctrlKey: true });
    await eventually(() => expect(size()).toBe(''));
  });

  it('go places, one after the other', async () => {
    await press('g');
    await press('t');
    expect(where.page).toBe('team');
    await press('Escape');
    expect(where.page).toBe('list');
    await press('/');
    expect(await screen.findByTestId('search-input')).toBe(document.activeElement);
  });

  it('open, and mark as read only after it was shown', async () => {
    await press('Enter');
    await screen.findByTestId('title');
    expect(called('triage')).toEqual([]);
    await eventually(() => expect(called('triage')).toEqual([{ ids: ['release'], action: { do: 'read' } }]));
  });

  it('act on what is read, wherever a block that ended has put the cursor', async () => {
    where.narrow = false;
    for (let i = 0; i < 4; i++) await press('j');
    await press('Enter');
    expect((await screen.findByTestId('title')).textContent).toBe('Which zone do we quote in incident reports?');
    await host.call('focus_stop', {});
    await eventually(() => expect(rows.current?.id).toBe('contract'));
    expect(where.open).toBe('zone');
    await press('e');
    await eventually(() => expect(called('triage')).toEqual([{ ids: ['zone'], action: { do: 'done' } }]));
    expect(where.open, 'and what was held comes next').toBe('contract');
  });

  it('do nothing while one types, and nothing as letters when switched off', async () => {
    const input = document.createElement('input');
    document.body.append(input);
    await fireEvent.keyDown(input, { key: 'e' });
    input.remove();
    expect(called('triage')).toEqual([]);
    await host.call('set_settings', { ...me.settings!, letter_keys: false });
    await eventually(() => expect(me.settings?.letter_keys).toBe(false));
    await press('e');
    expect(called('triage')).toEqual([]);
    await press('ArrowDown');
    expect(rows.cursor).toBe(1);
  });

  it('act once, however long they are held; those that move go on', async () => {
    await press('j');
    for (const key of ['e', 'f', 'u', 'x']) await press(key, { repeat: true });
    await press('k', { repeat: true });
    expect(rows.cursor).toBe(0);
    await press('ArrowDown', { repeat: true });
    await press('j', { repeat: true });
    expect(rows.cursor).toBe(2);
    await press('e');
    await press('e', { repeat: true });
    await eventually(() => expect(called('triage')).toEqual([{ ids: ['contract'], action: { do: 'done' } }]));
    expect([...called('focus_toggle'), ...called('focus_stop')]).toEqual([]);
    expect(rows.chosen.size).toBe(0);
    expect(await press('f', { ctrlKey: true, repeat: true }), 'nor does the webview search').toBe(false);
    expect(where.page).toBe('list');
  });

  it('begin and end focus', async () => {
    await press('f');
    await eventually(() => expect(called('focus_stop')).toHaveLength(1));
    await eventually(() => expect(screen.queryByTestId('held-banner')).toBeNull());
    await fireEvent.click(screen.getByTestId('focus-start'));
    expect(await screen.findByTestId('held-banner')).toBeTruthy();
  });
});

it('shows what a notification points to', async () => {
  await start();
  host.emit({ event: 'show', what: { target: 'item', id: 'contract' } });
  expect((await screen.findByTestId('title')).textContent).toBe('Re: Contract for the usability study');
});

it('asks before joining from a link', async () => {
  await start();
  host.emit({ event: 'show', what: { target: 'join', link: 'meantime://join#x' } });
  expect((await screen.findByTestId('invite')).textContent).toContain('team.example.org');
  expect(called('join')).toEqual([]);
});

it('fetches again what the engine says is stale', async () => {
  await start();
  await eventually(() => expect(called('inbox')).toHaveLength(1));
  host.emit({ event: 'changed', tags: [{ tag: 'inbox' }] });
  await eventually(() => expect(called('inbox')).toHaveLength(2));
  expect(called('team')).toHaveLength(0);
});

it('begins with three ways in, and is in the list after one click', async () => {
  await start('first');
  await fireEvent.click(await screen.findByTestId('first-run-sample'));
  expect(await screen.findByTestId('nav-inbox')).toBeTruthy();
  await eventually(() => expect(rows.total).toBeGreaterThan(20));
});

it('says what is wrong and where to go', async () => {
  await start('trouble');
  const notices = (await screen.findAllByTestId('notice')).map((n) => n.textContent?.trim());
  expect(notices).toContain('1 change refused');
  expect(notices).toContain('1 account needs you');
  await fireEvent.click(screen.getByText('1 change refused'));
  expect((await screen.findByTestId('refusal')).textContent).toContain('keep the epoch visible');
});

/** The window over an engine that is as usual but for this. */
function withStatus(change: (status: Status) => Partial<Status>) {
  host = reset();
  const usual = host.call.bind(host);
  host.call = async (name, args) => {
    const reply = await usual(name, args);
    return name === 'status' ? { ...reply, ...change(reply as Status) } : reply;
  };
  render(App);
}

it('counts messages that wait, and conversations that are held', async () => {
  withStatus(({ focus }) => ({ focus: { ...focus, block: focus.block && { ...focus.block, held: 1, messages: 3 } } }));
  await eventually(() => expect(screen.getByTestId('held-banner').textContent).toContain('3 messages wait'));
  expect(screen.getByTestId('focus-clock').textContent).toContain('1 held');
});

it('says why the team server wants nothing of us', async () => {
  const message = 'The key of team.example.org changed. Ask whoever runs it.';
  withStatus(() => ({ connection: { state: 'refused', message, signed_out: false } }));
  await eventually(() => expect(screen.getByTestId('notice').textContent).toBe('The key of team.example.org changed'));
});

it('says calmly which mailbox is not reached, and since when', async () => {
  const down = (name: string, since: string) => ({ name, since, message: `${name} does not answer` });
  const one = down('ana@example.org', '2026-11-16T08:34:00Z');
  withStatus(() => ({ unreachable: [one] }));
  await eventually(() => expect(screen.getByTestId('notice').textContent).toBe('ana@example.org not reached since 08:34'));
  const notice = screen.getByTestId('notice');
  expect([notice.title, notice.classList.contains('calm')]).toEqual(['ana@example.org does not answer', true]);
  await fireEvent.click(notice);
  expect(where.section).toBe('accounts');
  cleanup();
  withStatus(() => ({ unreachable: [one, down('info@example.org', '2026-11-16T08:12:00Z')] }));
  await eventually(() => expect(screen.getByTestId('notice').textContent).toBe('2 accounts not reached since 08:12'));
});

it('says that the database was damaged, and where that is told', async () => {
  withStatus(() => ({ damage: [{ at: '2026-11-16T08:34:00Z', text: 'A new one took its place.', file: '/x' }] }));
  await eventually(() => expect(screen.getByTestId('notice').title).toBe('A new one took its place.'));
  await fireEvent.click(screen.getByTestId('notice'));
  expect(where.section).toBe('devices');
  expect((await screen.findByTestId('damage')).textContent).toContain('A new one took its place.');
  await fireEvent.click(screen.getByTestId('damage-seen'));
  expect(called('damage_seen')).toHaveLength(1);
});

it('tries again when asked to', async () => {
  host = reset();
  const usual = host.call.bind(host);
  host.call = () => Promise.reject({ code: 'internal', message: 'Another Meantime has this profile.' });
  render(App);
  const again = await screen.findByTestId('try-again');
  host.call = usual;
  await fireEvent.click(again);
  expect(await screen.findByTestId('nav-inbox')).toBeTruthy();
});

it('gives a thread back that was sent too early', async () => {
  await start();
  await press('c');
  await fireEvent.input(await screen.findByTestId('compose-title'), { target: { value: 'Where do we meet?' } });
  await fireEvent.input(screen.getByTestId('compose-text'), { target: { value: 'Here or there?' } });
  await fireEvent.click(screen.getByLabelText('Urgent', { selector: 'input' }));
  expect((screen.getByTestId('send') as HTMLButtonElement).disabled).toBe(true);
  await fireEvent.click(screen.getByLabelText('Standard', { selector: 'input' }));
  await fireEvent.keyDown(screen.getByTestId('compose-text'), { key: 'Enter', metaKey: true });
  await eventually(() => expect(called('compose')).toMatchObject([{ title: 'Where do we meet?', urgency: 'yellow' }]));
  await fireEvent.click(await screen.findByTestId('undo'));
  expect((await screen.findByTestId<HTMLInputElement>('compose-title')).value).toBe('Where do we meet?');
  expect(screen.getByTestId<HTMLTextAreaElement>('compose-text').value).toBe('Here or there?');
});

it('keeps nothing of an answer that was sent and closed with its conversation', async () => {
  await start();
  await press('j');
  await press('Enter');
  const text = await screen.findByTestId<HTMLTextAreaElement>('reply-text');
  await fireEvent.input(text, { target: { value: 'Fine with me.' } });
  await fireEvent.click(screen.getByTestId('reply-close'));
  await eventually(() => expect(where.open).not.toBe('sync'));
  await eventually(() => expect(called('reply')).toHaveLength(1));
  const after = host.calls.slice(host.calls.findIndex((c) => c.name === 'reply')).map((c) => c.name);
  expect(after).not.toContain('save_draft');
});

it('greets nobody as new whose accounts were lost with the database', async () => {
  withStatus(() => ({ first_run: true, damage: [{ at: '2026-11-16T08:34:00Z', text: 'Add your accounts again.', file: '/x' }] }));
  const first = await screen.findByTestId('first-run');
  expect(first.querySelector('h1')?.textContent).toBe('Your accounts have to be added again');
  expect(screen.getByTestId('damage').textContent).toContain('Add your accounts again.');
});
