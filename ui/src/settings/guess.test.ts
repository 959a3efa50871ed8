import { expect, it } from 'vitest';
import { guess, usualPort } from './guess';

it('knows some, and guesses the rest', () => {
  expect(guess('ana@gmail.com')?.imap).toEqual({ host: 'imap.gmail.com', port: 993, security: 'tls', certificate: null });
  expect(guess('ana@example.org')?.smtp.host).toBe('smtp.example.org');
  expect(guess('ana@localhost')?.imap.security).toBe('plain');
});

it('waits for a domain', () => {
  expect(guess('ana')).toBeNull();
  expect(guess('ana@')).toBeNull();
  expect(guess('ana@exa mple')).toBeNull();
});

it('knows the usual ports', () => {
  expect(usualPort('imap', 'starttls')).toBe(143);
  expect(usualPort('smtp', 'starttls')).toBe(587);
});
