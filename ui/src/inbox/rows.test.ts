import { beforeEach, describe, expect, it } from 'vitest';
import { call } from '../host';
import { reset } from '../host/memory';
import { eventually } from '../host/memory/eventually';
import { Rows, rows } from './rows.svelte';
import { snoozeFor, step, triage, undo } from './triage';
import { where } from '../parts/view.svelte';
import { toasts } from '../parts/toasts.svelte';

beforeEach(async () => {
  where.open = null;
  where.overlay = null;
  where.answering = false;
  where.page = 'list';
  where.narrow = false;
  await rows.show('inbox');
});

const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => rows.at(from + i)?.id);

describe('the list', () => {
  it('puts headings between the groups', () => {
    expect(rows.groups.map((g) => [g.group, g.count])).toEqual([['due_today', 3], ['due_later', 4], ['for_information', 21]]);
    expect(rows.entries).toBe(31);
    expect(rows.entry(0)).toMatchObject({ kind: 'heading', group: { group: 'due_today' } });
    expect(rows.entry(3)).toEqual({ kind: 'row', index: 2 });
    expect(rows.entry(4)).toMatchObject({ kind: 'heading', group: { group: 'due_later' } });
    expect(rows.entry(5)).toEqual({ kind: 'row', index: 3 });
    for (let row = 0; row < rows.total; row++) expect(rows.entry(rows.entryOf(row))).toEqual({ kind: 'row', index: row });
  });

  it('fetches what is seen and nothing else', async () => {
    const host = reset('long');
    await rows.show('inbox');
    expect(rows.total).toBe(100_028);
    expect(rows.at(50_000)).toBeUndefined();
    host.calls.length = 0;
    rows.see(50_000, 50_020);
    await eventually(() => expect(rows.at(50_000)).toBeDefined());
    expect(rows.at(40_000)).toBeUndefined();
    expect(host.calls.length).toBeLessThan(4);
  });

  it('keeps the cursor on its row when others come before it', async () => {
    rows.cursor = 3;
    const id = rows.current?.id;
    await call('triage', { ids: ['release'], action: { do: 'done' } });
    await rows.refresh();
    expect(rows.current?.id).toBe(id);
    expect(rows.cursor).toBe(2);
  });

  it('says what went wrong', async () => {
    reset('unwell');
    await rows.show('inbox');
    expect(rows.ready).toBe(true);
    expect(rows.failure?.message).toContain('database');
  });
});

describe('what a block held', () => {
  /** A list that sees the block end while the cursor is on the row `at`. */
  async function ended(scene: 'day' | 'long', at: number, begin: (list: Rows) => void): Promise<Rows> {
    reset(scene);
    const list = new Rows();
    await list.show('inbox');
    list.cursor = at;
    begin(list);
    await call('focus_stop', {});
    await list.refresh();
    expect(list.groups[0]).toMatchObject({ group: 'held', count: 2 });
    return list;
  }

  it('is shown from its first row, and what is read stays', async () => {
    const list = await ended('long', 60_000, (list) => {
      list.see(60_000, 60_020);
      where.open = 'zone';
    });
    expect([list.cursor, list.topped]).toEqual([0, 1]);
    await eventually(() => expect(list.current?.id).toBe('contract'));
    expect(where.open).toBe('zone');
  });

  it.each<[string, (list: Rows) => void]>([
    ['an answer', () => (where.answering = true)],
    ['a thread', () => (where.overlay = { kind: 'compose', asked: [] })],
    ['a search', () => (where.page = 'search')],
    ['a choice', (list) => list.choose(4)],
  ])('leaves %s alone', async (_, begin) => {
    const list = await ended('day', 4, begin);
    expect(list.topped).toBe(0);
    expect(list.current?.id).toBe('zone');
  });

  it('is shown from its top once, not each time it comes back', async () => {
    const list = await ended('day', 4, () => {});
    expect(list.topped).toBe(1);
    await call('triage', { ids: ['contract', 'race'], action: { do: 'done' } });
    await list.refresh();
    expect(list.groups[0]?.group).toBe('due_today');
    list.cursor = 1;
    await call('undo', {});
    await list.refresh();
    expect(list.groups[0]?.group).toBe('held');
    expect(list.topped).toBe(1);
    expect(list.current?.id).toBe('sync');
  });
});

describe('triage', () => {
  it('takes a row out at once, and brings it back', async () => {
    const before = ids(0, 3);
    const done = triage(['release'], { do: 'done' });
    expect(ids(0, 2)).toEqual(before.slice(1));
    expect(rows.groups[0]?.count).toBe(2);
    await done;
    expect(toasts.all.at(-1)).toMatchObject({ text: expect.stringContaining('Release blocked'), undo: true });
    await undo();
    expect(rows.find('release')).toBeGreaterThanOrEqual(0);
    expect(rows.current?.id).toBe('release');
  });

  it('leaves no empty heading', () => {
    rows.take(['release', 'sync', 'contract']);
    expect(rows.groups.map((g) => g.group)).toEqual(['due_later', 'for_information']);
    expect(rows.entry(0).kind).toBe('heading');
    expect(rows.total).toBe(25);
  });

  it('opens the next one when what is read is done', async () => {
    rows.cursor = 0;
    where.open = rows.current?.id ?? null;
    await triage(['release'], { do: 'done' });
    expect(where.open).toBe('sync');
    where.narrow = true;
    await triage(['sync'], { do: 'done' });
    expect(where.open).toBeNull();
  });

  it('does not take anything out for words that mean no time', async () => {
    await expect(snoozeFor(['release'], 'one fine day')).rejects.toMatchObject({ code: 'invalid' });
    expect(rows.find('release')).toBe(0);
  });

  it('shows the truth again when the engine refuses', async () => {
    await triage(['release', 'nobody'], { do: 'done' });
    expect(toasts.all.at(-1)?.tone).toBe('bad');
    expect(rows.find('release')).toBe(0);
  });

  it('moves within the list, and what is read follows', () => {
    step(-1);
    expect(rows.cursor).toBe(0);
    step(1);
    expect(where.open).toBeNull();
    where.open = rows.current?.id ?? null;
    step(1);
    expect(where.open).toBe('contract');
    step(1_000);
    expect(rows.cursor).toBe(rows.total - 1);
  });
});

it('chooses several, one by one and through', () => {
  rows.choose(0);
  rows.choose(2, true);
  expect([...rows.chosen]).toEqual(['release', 'sync', 'contract']);
  rows.choose(1);
  expect(rows.targets).toEqual(['release', 'contract']);
});
