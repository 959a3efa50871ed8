/** Where the mail of an address probably lies. A guess to be corrected, not an autodiscovery. */
import type { MailServer, Security } from '../host';

type Known = [imap: [string, number, Security], smtp: [string, number, Security]];

const SAME: Array<[RegExp, Known]> = [
  [/^(gmail|googlemail)\.com$/, [['imap.gmail.com', 993, 'tls'], ['smtp.gmail.com', 465, 'tls']]],
  [/^(outlook|hotmail|live)\./, [['outlook.office365.com', 993, 'tls'], ['smtp-mail.outlook.com', 587, 'starttls']]],
  [/^(icloud|me|mac)\.com$/, [['imap.mail.me.com', 993, 'tls'], ['smtp.mail.me.com', 587, 'starttls']]],
  [/^yahoo\./, [['imap.mail.yahoo.com', 993, 'tls'], ['smtp.mail.yahoo.com', 465, 'tls']]],
  [/^fastmail\./, [['imap.fastmail.com', 993, 'tls'], ['smtp.fastmail.com', 465, 'tls']]],
  [/^gmx\.(net|de|at|ch)$/, [['imap.gmx.net', 993, 'tls'], ['mail.gmx.net', 465, 'tls']]],
  [/^web\.de$/, [['imap.web.de', 993, 'tls'], ['smtp.web.de', 587, 'starttls']]],
  [/^posteo\./, [['posteo.de', 993, 'tls'], ['posteo.de', 465, 'tls']]],
  [/^(proton\.me|protonmail\.com|pm\.me)$/, [['127.0.0.1', 1143, 'starttls'], ['127.0.0.1', 1025, 'starttls']]],
  [/^(localhost|127\.0\.0\.1)$/, [['127.0.0.1', 143, 'plain'], ['127.0.0.1', 25, 'plain']]],
];

/** The port usually meant by a kind of protection. */
export function usualPort(kind: 'imap' | 'smtp', security: Security): number {
  if (kind === 'imap') return security === 'tls' ? 993 : 143;
  return { tls: 465, starttls: 587, plain: 25 }[security];
}

/** Both servers for an address; none while it has no domain. */
export function guess(address: string): { imap: MailServer; smtp: MailServer } | null {
  const domain = address.split('@')[1]?.trim().toLowerCase();
  if (!domain || !/^[\w.-]+$/.test(domain)) return null;
  const known = SAME.find(([pattern]) => pattern.test(domain))?.[1];
  const [imap, smtp] = known ?? [[`imap.${domain}`, 993, 'tls'], [`smtp.${domain}`, 465, 'tls']];
  const server = ([host, port, security]: [string, number, Security]): MailServer => ({ host, port, security, certificate: null });
  return { imap: server(imap), smtp: server(smtp) };
}
