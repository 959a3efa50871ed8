/** Names of things, as people read them. */
import type { Group, SourceKind, Urgency, View } from '../host';

export const URGENCY: Record<Urgency, string> = { red: 'Urgent', yellow: 'Standard', green: 'For information' };

export const GROUP: Record<Group, string> = {
  held: 'Held',
  due_today: 'Due today',
  due_later: 'Due later',
  for_information: 'For information',
};

export const VIEW: Record<View, string> = { inbox: 'Inbox', waiting: 'Waiting', later: 'Later', done: 'Done' };

export const SOURCE: Record<SourceKind, string> = { team: 'Team', imap: 'Mail', feed: 'Feed', archive: 'Archive' };

/** `7`, `1,024`. */
export function number(n: number): string {
  return n.toLocaleString('en-GB');
}

/** `1 message`, `3 messages`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${number(n)} ${n === 1 ? one : many}`;
}

/** `Ana`, `Ana and Kofi`, `Ana, Kofi and Mei`. */
export function list(words: string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** What is said first, without its full stop: what to do about it comes after. */
export function firstSentence(message: string): string {
  return sentence(message.split(/(?<=[.!?])\s|;\s/)[0] ?? message).replace(/\.$/, '');
}

/** `184 kB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The first word is a host, an address or a file, and is written as it is. */
const NAME = /^(localhost\b|\S*(\d|\.\w))/i;

/** A message of a program, as a sentence: `no route to it` becomes `No route to it.` */
export function sentence(message: string): string {
  const text = message.trim();
  const end = /[.!?…:)”]$/.test(text) || text === '' ? '' : '.';
  return (NAME.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1)) + end;
}
