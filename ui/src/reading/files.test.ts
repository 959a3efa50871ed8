// @vitest-environment happy-dom
import { fireEvent, render, screen, within } from '@testing-library/svelte';
import { tick } from 'svelte';
import { beforeEach, expect, it } from 'vitest';
import { call } from '../host';
import { reset } from '../host/memory';
import '../host/memory/document';
import { eventually } from '../host/memory/eventually';
import type { Memory, Scene } from '../host/memory/host';
import { rows } from '../inbox/rows.svelte';
import Composer from './Composer.svelte';
import { icon } from './filekinds';
import Message from './Message.svelte';

let host: Memory;
beforeEach(async () => {
  host = reset();
  await rows.show('inbox');
});

const PLAN = () => new File(['%PDF-'], 'plan.pdf', { type: 'application/pdf' });
const chips = () => screen.queryAllByRole('listitem').filter((li) => li.classList.contains('file')).map((li) => li.querySelector('b')?.textContent);
const called = (name: string) => host.calls.filter((c) => c.name === name).map((c) => c.args);

async function compose(id: string) {
  render(Composer, { conversation: await call('open', { id }) });
  return screen.getByTestId('reply-text') as HTMLTextAreaElement;
}

async function choose(...files: File[]) {
  const input = screen.getByTestId('attach-input') as HTMLInputElement;
  Object.defineProperty(input, 'files', { value: files, configurable: true });
  await fireEvent.change(input);
}

/** As a browser tells of files that are dragged or pasted. */
const holding = (...files: File[]) => ({ types: ['Files'], files, dropEffect: '' });
function drag(type: string, data: unknown): Event {
  const event = new Event(type, { bubbles: true, cancelable: true });
  return Object.assign(event, type === 'paste' ? { clipboardData: data } : { dataTransfer: data });
}

it('attaches what is chosen, and sends it along', async () => {
  const text = await compose('sync');
  expect(screen.queryByTestId('files')).toBeNull();
  await choose(PLAN(), new File(['1,2'], 'numbers.csv', { type: 'text/csv' }));
  await eventually(() => expect(chips()).toEqual(['plan.pdf', 'numbers.csv']));
  expect(screen.getByTestId('files').textContent).toContain('5 B');
  await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
  await eventually(() => expect(chips()).toEqual([]));
  expect(called('reply')).toMatchObject([{ files: [{ name: 'plan.pdf', bytes: 5, media_type: 'application/pdf' }, { name: 'numbers.csv' }] }]);
});

it('offers to attach by a button that the keyboard reaches', async () => {
  await compose('contract');
  const button = screen.getByTestId('attach');
  expect(button.getAttribute('aria-label')).toBe('Attach files');
  let opened = 0;
  screen.getByTestId('attach-input').addEventListener('click', () => opened++);
  button.focus();
  expect(document.activeElement).toBe(button);
  await fireEvent.click(button);
  expect(opened).toBe(1);
});

it('takes off what was attached', async () => {
  await compose('sync');
  await choose(PLAN());
  await fireEvent.click(await screen.findByRole('button', { name: 'Take plan.pdf off' }));
  await eventually(() => expect(chips()).toEqual([]));
  expect(called('detach')).toMatchObject([{ item: 'sync' }]);
});

it('takes what is dropped or pasted, and shows that it would', async () => {
  const text = await compose('sync');
  const form = screen.getByTestId('composer');
  form.dispatchEvent(drag('dragenter', holding()));
  await tick();
  expect(form.classList.contains('takes')).toBe(true);
  const data = holding(PLAN());
  const over = drag('dragover', data);
  form.dispatchEvent(over);
  expect([over.defaultPrevented, data.dropEffect]).toEqual([true, 'copy']);
  form.dispatchEvent(drag('drop', data));
  await eventually(() => expect(chips()).toEqual(['plan.pdf']));
  expect(form.classList.contains('takes')).toBe(false);
  text.dispatchEvent(drag('paste', holding(new File(['x'], 'image.png', { type: 'image/png' }))));
  await eventually(() => expect(chips()).toEqual(['plan.pdf', 'image.png']));
  // Beside it a file does nothing, least of all open in the window.
  const beside = drag('dragover', holding(PLAN()));
  document.body.dispatchEvent(beside);
  const dropped = drag('drop', holding(PLAN()));
  document.body.dispatchEvent(dropped);
  expect([beside.defaultPrevented, dropped.defaultPrevented, chips().length]).toEqual([true, true, 2]);
  // Text is dragged as ever.
  const words = drag('drop', { types: ['text/plain'], files: [] });
  form.dispatchEvent(words);
  expect(words.defaultPrevented).toBe(false);
});

it('says what can’t be attached, and takes the others', async () => {
  await compose('sync');
  const large = new File(['x'], 'film.iso');
  Object.defineProperty(large, 'size', { value: (25 << 20) + 1 });
  await choose(large, PLAN(), new File(['x'], 'locked.pdf'));
  await eventually(() => expect(chips()).toEqual(['plan.pdf']));
  const said = screen.getByTestId('files-wrong').textContent;
  expect(said).toContain('film.iso is larger than 25 MiB');
  expect(said).toContain('locked.pdf can’t be read');
});

it('sends nothing while a file is being copied', async () => {
  const text = await compose('sync');
  const usual = host.attachFile.bind(host);
  let go = () => {};
  host.attachFile = (item, file) => new Promise((resolve) => (go = () => resolve(usual(item, file))));
  await choose(PLAN());
  expect((screen.getByTestId('send') as HTMLButtonElement).disabled).toBe(true);
  expect(screen.getByTestId('files').textContent).toContain('copying…');
  await fireEvent.keyDown(text, { key: 'Enter', ctrlKey: true });
  expect(called('reply')).toEqual([]);
  go();
  await eventually(() => expect((screen.getByTestId('send') as HTMLButtonElement).disabled).toBe(false));
});

it('has what was attached when one comes back', async () => {
  await host.attachFile('sync', PLAN());
  await compose('sync');
  expect(chips()).toEqual(['plan.pdf']);
});

async function message(scene: Scene, id: string, n: number) {
  host = reset(scene);
  const message = (await call('open', { id })).messages[n]!;
  render(Message, { item: id, message });
}

it('saves a file of a message, and says where', async () => {
  await message('day', 'sync', 1);
  const save = screen.getByRole('button', { name: 'Save cursor-and-epoch.pdf' });
  await fireEvent.click(save);
  const file = screen.getAllByTestId('file')[0]!;
  await eventually(() => expect(within(file).getByRole('status').textContent).toBe('Saved in Downloads'));
  expect(called('save_attachment')).toEqual([{ item: 'sync', message: 'm2', index: 0, to: null }]);
  await fireEvent.click(save);
  await eventually(() => expect(within(file).getByRole('status').textContent).toBe('Saved in Downloads as cursor-and-epoch (2).pdf'));
});

it('says why a file can’t be saved, and offers to try again', async () => {
  await message('offline', 'sync', 1);
  await fireEvent.click(screen.getByRole('button', { name: 'Save restore drill, week 46.csv' }));
  await eventually(() => expect(screen.getByRole('alert').textContent).toContain('can’t be reached. Try again'));
  expect(screen.getByRole('button', { name: 'Save restore drill, week 46.csv' }).textContent).toContain('Try again');
});

it('offers no saving of what can’t be had', async () => {
  const talk = await call('open', { id: 'contract' });
  const [only] = talk.messages;
  render(Message, { item: 'contract', message: { ...only!, attachments: [{ name: 'podcast.mp3', media_type: 'audio/mpeg', bytes: 0, can_save: false }] } });
  expect(screen.getByTestId('file').textContent).toContain('podcast.mp3');
  expect(screen.queryByRole('button', { name: /Save/ })).toBeNull();
});

it('draws a file by what it is said to be', () => {
  expect(icon('image/png')).not.toBe(icon('application/pdf'));
  expect(icon('application/x-unknown')).toBe(icon(''));
});
