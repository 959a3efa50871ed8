import { expect, it } from 'vitest';
import { count, firstSentence, sentence } from './words';

it.each([
  ['the password is wrong', 'The password is wrong.'],
  ['Already one.', 'Already one.'],
  ['is it there?', 'Is it there?'],
  ['écrit ainsi', 'Écrit ainsi.'],
  ['', ''],
  ['localhost, port 17999, refuses the connection', 'localhost, port 17999, refuses the connection.'],
  ['localhost:993 does not answer', 'localhost:993 does not answer.'],
  ['mail.example.org refused the password.', 'mail.example.org refused the password.'],
  ['ana@example.org is no mailbox', 'ana@example.org is no mailbox.'],
  ['mail2 is unknown', 'mail2 is unknown.'],
  ['localhosts are many', 'Localhosts are many.'],
  ['nothing came. Port 993 is closed', 'Nothing came. Port 993 is closed.'],
  ['gone.', 'Gone.'],
])('%j is shown as %j', (message, shown) => expect(sentence(message)).toBe(shown));

it.each([
  ['The key of team.example.org changed. Ask whoever runs it.', 'The key of team.example.org changed'],
  ['the keyring no longer has the key to your passwords; open the one you used before', 'The keyring no longer has the key to your passwords'],
  ['gone', 'Gone'],
])('of %j comes first %j', (message, first) => expect(firstSentence(message)).toBe(first));

it.each([
  [0, '0 messages'],
  [1, '1 message'],
  [999, '999 messages'],
  [1024, '1,024 messages'],
  [100_000, '100,000 messages'],
])('%d in words: %j', (n, words) => expect(count(n, 'message')).toBe(words));
