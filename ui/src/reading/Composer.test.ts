// @vitest-environment happy-dom
import { fireEvent, render, screen } from '@testing-library/svelte';
import { beforeEach, expect, it } from 'vitest';
import { call, type Deliver } from '../host';
import { reset } from '../host/memory';
import '../host/memory/document';
import { eventually } from '../host/memory/eventually';
import type { Memory } from '../host/memory/host';
import { rows } from '../inbox/rows.svelte';
import { where } from '../parts/view.svelte';
import Composer from './Composer.svelte';

let host: Memory;
let composer: ReturnType<typeof render>;
beforeEach(async () => {
  host = reset();
  await rows.show('inbox');
});

async function compose(id: string) {
  composer = render(Composer, { conversation: await call('open', { id }) });
  return screen.getByTestId('reply-text') as HTMLTextAreaElement;
}
const replies = () => host.calls.filter((c) => c.name === 'reply').map((c) => c.args);

it('restores the draft and hints without blocking', async () => {
  const text = await compose('sync');
  expect(text.value).toContain('Two cases have no place yet');
  expect(screen.getByRole('note').textContent).toContain('who should answer');
  expect((screen.getByTestId('send') as HTMLButtonElement).disabled).toBe(false);
});

it('says that somebody is answering as long as there are words', async () => {
  const text = await compose('contract');
  expect(where.answering).toBe(false);
  await fireEvent.input(text, { target: { value: 'Fine with me.' } });
  expect(where.answering).toBe(true);
  await fireEvent.input(text, { target: { value: ' ' } });
  expect(where.answering).toBe(false);
  await fireEvent.input(text, { target: { value: 'Fine.' } });
  composer.unmount();
  expect(where.answering).toBe(false);
});

it('shows each recipient’s time, state', async () => {
  await compose('sync');
  const to = screen.getByTestId('recipients').textContent;
  expect(to).toContain('18:26 in Taipei, works until 19:00');
  expect(to).toContain('focusing until 11:30');
  expect(to).toContain('starts 14:00 your time');
  // Asked and not answered yet; by his clock, not by mine.
  expect(to).toContain('answer due 16:00 their time');
  expect(to?.match(/answer due/g)).toHaveLength(1);
});

it('says where a reply goes when that is not who wrote', async () => {
  await compose('contract');
  expect(screen.getByTestId('redirected').textContent).toContain('office@studies.example.org');
  expect(screen.getByTestId('recipients').querySelector('li')?.title).toContain('office@studies.example.org');
});

it('answers who wrote, and everybody only when that is chosen', async () => {
  const text = await compose('contract');
  const shown = () => [...screen.getByTestId('recipients').querySelectorAll('b')].map((b) => b.textContent);
  const answer = async (words: string) => {
    await fireEvent.input(text, { target: { value: words } });
    await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
    await eventually(() => expect(text.value).toBe(''));
  };
  expect(shown()).toEqual(['Office']);
  await answer('Fine with me.');
  expect(replies().at(-1)).toMatchObject({ to: ['office@studies.example.org'] });

  const all = screen.getByTestId('reply-to-all').querySelector('input')!;
  expect(screen.getByRole('radiogroup', { name: 'Whom it goes to' }).contains(all)).toBe(true);
  await fireEvent.click(all);
  expect(shown()).toEqual(['Office', 'Rui Costa', 'Press desk']);
  await answer('For all of you.');
  expect(replies().at(-1)).toMatchObject({ to: ['office@studies.example.org', 'rui@example.net', 'press@example.net'] });
  expect(shown(), 'the next answer is chosen anew').toEqual(['Office']);

  // Taken back, it is as it was.
  await call('undo', {});
  await composer.rerender({ conversation: await call('open', { id: 'contract' }) });
  expect(text.value).toBe('For all of you.');
  expect(shown()).toEqual(['Office', 'Rui Costa', 'Press desk']);
});

it('keeps whom it goes to with the words', async () => {
  const shown = () => [...screen.getByTestId('recipients').querySelectorAll('b')].map((b) => b.textContent);
  const chosen = () => ['author', 'all'].filter((whom) => screen.getByTestId(`reply-to-${whom}`).querySelector('input')!.checked);
  let text = await compose('contract');
  expect(screen.queryByTestId('recipient-drop'), 'it goes to somebody').toBeNull();
  await fireEvent.input(text, { target: { value: 'Dear all,' } });
  await fireEvent.click(screen.getByTestId('reply-to-all').querySelector('input')!);
  expect(chosen()).toEqual(['all']);
  await fireEvent.click(screen.getByRole('button', { name: 'Take Rui Costa off' }));
  expect(shown()).toEqual(['Office', 'Press desk']);
  expect(chosen()).toEqual([]);
  await eventually(() => expect(host.calls.at(-1)).toMatchObject({ name: 'save_draft', args: { answer: { to: ['office@studies.example.org', 'press@example.net'] } } }));
  composer.unmount();

  text = await compose('contract');
  expect(text.value).toBe('Dear all,');
  expect(shown()).toEqual(['Office', 'Press desk']);
  await fireEvent.click(screen.getByTestId('reply-to-author').querySelector('input')!);
  expect(shown()).toEqual(['Office']);
  await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
  await eventually(() => expect(replies().at(-1)).toMatchObject({ to: ['office@studies.example.org'] }));
  await eventually(() => expect(text.value).toBe(''));

  await call('undo', {});
  await composer.rerender({ conversation: await call('open', { id: 'contract' }) });
  expect(text.value).toBe('Dear all,');
  expect(chosen()).toEqual(['author']);
});

it('answers whom it was written to, whoever writes meanwhile', async () => {
  const text = await compose('contract');
  const shown = () => [...screen.getByTestId('recipients').querySelectorAll('b')].map((b) => b.textContent);
  await fireEvent.input(text, { target: { value: 'Between us:' } });
  const before = await call('open', { id: 'contract' });
  const zoe = { ...before.messages[0]!, id: 'c2', author: 'Zoe' };
  const [office] = before.recipients;
  const now = { ...before, answers: 'c2', redirected: [], recipients: [{ ...office!, name: 'Zoe', address: 'zoe@example.org' }], messages: [...before.messages, zoe] };
  await composer.rerender({ conversation: now });
  expect(shown()).toEqual(['Office']);
  expect(screen.getByTestId('overtaken').textContent).toContain('Zoe wrote meanwhile. This answers Ines Duarte.');
  await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
  await eventually(() => expect(replies().at(-1)).toMatchObject({ message: 'c1', to: ['office@studies.example.org'] }));
  await eventually(() => expect(shown()).toEqual(['Zoe']));
  expect(screen.queryByTestId('overtaken')).toBeNull();

  // Taken back, or opened again: it is as it was written.
  const { recipients, redirected } = before;
  const kept = { ...now, draft: 'Between us:', draft_answer: { message: 'c1', to: null, deliver: null }, draft_answers: { message: 'c1', recipients, redirected } };
  await composer.rerender({ conversation: kept });
  expect([text.value, shown()]).toEqual(['Between us:', ['Office']]);
  await fireEvent.click(screen.getByRole('button', { name: 'Answer Zoe instead' }));
  expect(shown()).toEqual(['Zoe']);
  await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
  await eventually(() => expect(replies().at(-1)).toMatchObject({ message: 'c2', to: ['zoe@example.org'] }));
});

it('keeps when it is delivered with the words', async () => {
  const keep = (deliver: Deliver) => call('save_draft', { item: 'sync', text: 'Please.', thread: null, answer: { message: null, to: null, deliver } });
  await keep({ when: 'now' });
  const text = await compose('sync');
  expect(screen.getByTestId('send').textContent).toContain('now');
  await fireEvent.input(text, { target: { value: 'Please look.' } });
  await eventually(() => expect(host.calls.at(-1)).toMatchObject({ name: 'save_draft', args: { text: 'Please look.', answer: { to: null, deliver: { when: 'now' } } } }));
  composer.unmount();
  await keep({ when: 'at', at: '2026-11-15T09:00:00Z' });
  await compose('sync');
  expect(screen.getByTestId('send').textContent, 'a time that is over is none').toContain('when ');
});

it('offers no choice where there is none', async () => {
  await compose('sync');
  expect(screen.queryByTestId('reply-to-all')).toBeNull();
});

it('says nothing of it otherwise', async () => {
  await compose('release');
  expect(screen.queryByTestId('redirected')).toBeNull();
});

it('sends with Ctrl and Enter, and is empty then', async () => {
  const text = await compose('sync');
  await fireEvent.input(text, { target: { value: 'Fine with me.' } });
  await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
  await eventually(() => expect(text.value).toBe(''));
  expect(replies()).toEqual([{ item: 'sync', text: 'Fine with me.', done: false, deliver: { when: 'when_they_start' }, files: [] }]);
});

it('is delivered as the engine says, whatever the row has become', async () => {
  const open = await call('open', { id: 'sync' });
  render(Composer, { conversation: { ...open, deliver: { when: 'now' } } });
  const text = screen.getByTestId('reply-text');
  await fireEvent.input(text, { target: { value: 'A correction.' } });
  await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
  await eventually(() => expect(replies()).toMatchObject([{ item: 'sync', deliver: { when: 'now' } }]));
});

it('closes with the answer when asked to', async () => {
  const text = await compose('contract');
  await fireEvent.input(text, { target: { value: 'Signed.' } });
  await fireEvent.click(screen.getByTestId('reply-close'));
  await eventually(() => expect(rows.find('contract')).toBe(-1));
  expect(replies()).toMatchObject([{ done: true, deliver: { when: 'now' } }]);
});

it('does not send nothing', async () => {
  const text = await compose('contract');
  await fireEvent.input(text, { target: { value: '   ' } });
  expect((screen.getByTestId('send') as HTMLButtonElement).disabled).toBe(true);
  await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
  expect(replies()).toEqual([]);
});

it('keeps the text when sending fails', async () => {
  const text = await compose('contract');
  await fireEvent.input(text, { target: { value: 'Signed.' } });
  host.call = () => Promise.reject({ code: 'internal', message: 'The disk is full.' });
  await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
  await eventually(() => expect((screen.getByTestId('send') as HTMLButtonElement).disabled).toBe(false));
  expect(text.value).toBe('Signed.');
});
