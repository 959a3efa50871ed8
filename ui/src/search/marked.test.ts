import { expect, it } from 'vitest';
import { marked } from './marked';

it.each([
  ['Release notes', 'rel', ['', 'Release', ' notes']],
  ['Release notes of the release', 'release notes', ['', 'Release', ' ', 'notes', ' of the ', 'release', '']],
  ['Notes on Café life', 'cafe', ['Notes on ', 'Café', ' life']],
  ['Contract', 'con tract', ['Contract']],
  ['The draft', 'd', ['The draft']],
  ['The drafts', '"the draft"', ['', 'The', ' drafts']],
  ['API設計の草稿', '設計', ['API', '設計', 'の草稿']],
  ['C++ (draft)', '( +', ['C++ (draft)']],
] as Array<[string, string, string[]]>)('%s, looking for %s', (title, words, pieces) => {
  expect(marked(title, words)).toEqual(pieces);
  expect(marked(title, words).join('')).toBe(title);
});
