/** What stands in the sample conversations. */
import type { Conversation, MessageView, Recipient, Row } from '../bindings';
import { hour } from './people';

/** The logo of a mail, as the engine fetched it. */
export const LOGO = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAAAgAgMAAACnTJi2AAAACVBMVEUXZl9vw7j///8HtJn5AAAAPElEQVR42mNgGDFg1aoGvPJMq1YtwKtAa9WqVZQpAMrjdQQTSMECBsZQbGDkKaAgJKkQWQTTA8EUNQwAAOega+9QPS+UAAAAAElFTkSuQmCC';

export const MAIL_HTML = `<p>Dear Ana,</p><p>attached is the version with <b>your changes</b>. Two points are open:</p>
<ol><li>the number of sessions (we wrote <i>eight</i>),</li><li>who keeps the recordings.</li></ol>
<p>The terms are at <a href="https://studies.example.org/terms">studies.example.org/terms</a>.</p>
<p><img data-src="https://studies.example.org/logo.png" alt="Logo"></p><p>Best regards<br>Ines Duarte</p>
<blockquote><p>On Friday, Ana Sousa wrote:</p><p>Could you send it with the changes from our call?</p></blockquote>`;

/** A mail that says how it looks, as the sanitiser lets it through. */
const INVOICE_HTML = `<table width="100%" bgcolor="#f4f6fb" cellpadding="0" cellspacing="0"><tbody><tr><td align="center" style="padding:24px 12px">
<table width="560" cellpadding="0" cellspacing="0" style="background:#ffffff;border:1px solid #dfe3ee;border-radius:8px;max-width:100%"><tbody>
<tr><td style="padding:20px 28px;border-bottom:3px solid #2a4bd7"><img data-src="https://hosting.example.com/logo.png" alt="Hosting GmbH"></td></tr>
<tr><td style="padding:24px 28px;color:#26304a;font-family:Helvetica, Arial, sans-serif;font-size:15px;line-height:1.5">
<h1 style="margin:0 0 12px;font-size:22px">Your invoice for November is ready</h1>
<p style="margin:0 0 16px">Dear Ana Sousa,<br>the invoice <strong>2026-118</strong> over <strong style="white-space:nowrap">€ 42.00</strong> is due on 30 November.</p>
<table width="100%" cellpadding="8" style="border-collapse:collapse;font-size:14px"><tbody>
<tr style="background-color:#f4f6fb"><td>Server, 2 cores</td><td align="right">€ 29.00</td></tr><tr><td style="border-bottom:1px solid #dfe3ee">Backup, 200 GB</td><td align="right" style="border-bottom:1px solid #dfe3ee">€ 13.00</td></tr>
</tbody></table>
<p style="margin:20px 0 0"><a href="https://hosting.example.com/invoices/2026-118" style="display:inline-block;padding:10px 18px;border-radius:6px;background:#2a4bd7;color:#ffffff;text-decoration:none;font-weight:bold">Open the invoice</a></p>
</td></tr></tbody></table>
<p style="margin:14px 0 0;color:#7d869c;font-size:12px">Hosting GmbH, Hamburg · <a href="https://hosting.example.com/mails" style="color:#7d869c">which mails we send</a></p>
</td></tr></tbody></table>`;

function message(id: string, author: string, at: string, some: Partial<MessageView> & { text?: string; html?: string }): MessageView {
  const { text = '', html, ...rest } = some;
  return {
    id, author, at, address: '', reply_to: [], person: null, zone: null, city: '', own: false,
    body: html ? { format: 'rich', html, text } : { format: 'text', text },
    attachments: [], unreadable: null, sending: null, link: null, ...rest,
  };
}

const MEI: Recipient = { person: 'mei', name: 'Mei Lin', address: '', zone: 'Asia/Taipei', city: 'Taipei', state: { state: 'works', until: hour(11) }, held: null, due: hour(11, 1), starts: null };
const KOFI: Recipient = { person: 'kofi', name: 'Kofi Mensah', address: '', zone: 'Africa/Accra', city: 'Accra', state: { state: 'focusing', until: hour(11.5) }, held: 'Kofi is focusing until 11:30', due: hour(10.5, 1), starts: null };
const TOMAS: Recipient = { person: 'tomas', name: 'Tomás Ruiz', address: '', zone: 'America/Mexico_City', city: 'Mexico City', state: { state: 'starts', at: hour(14) }, held: 'Tomás is not at work', due: hour(23), starts: hour(14) };
const SARA: Recipient = { person: 'sara', name: 'Sara Okafor', address: '', zone: 'Africa/Lagos', city: 'Lagos', state: { state: 'away', until: hour(8, 3) }, held: 'Sara is away', due: hour(17, 3), starts: hour(8, 3) };
const JONAS: Recipient = { person: 'jonas', name: 'Jonas Weber', address: '', zone: 'Europe/Berlin', city: 'Berlin', state: { state: 'works', until: hour(11) }, held: null, due: hour(9, 1), starts: null };
const PRIYA: Recipient = { person: 'priya', name: 'Priya Nair', address: '', zone: 'Asia/Kolkata', city: 'Bengaluru', state: { state: 'works', until: hour(13) }, held: null, due: hour(9, 1), starts: null };

export const RECIPIENTS: Recipient[] = [KOFI, MEI, TOMAS, SARA, JONAS, PRIYA];

/** Somebody of whom no answer is asked. */
export const owesNothing = (one: Recipient): Recipient => ({ ...one, due: null });

const mailbox = (name: string, address: string): Recipient => ({ person: null, name, address, zone: null, city: '', state: { state: 'unknown' }, held: null, due: null, starts: null });

/** The conversation behind a row. */
export function conversation(row: Row): Conversation {
  const base: Conversation = { row, place: 'Team', asked: [], messages: [], can_reply: row.source !== 'feed', recipients: [], deliver: { when: row.source === 'team' && row.urgency !== 'red' ? 'when_they_start' : 'now' }, redirected: [], draft: null, draft_files: [], draft_answer: { message: null, to: null, deliver: null }, answers: null, draft_answers: null };
  switch (row.id) {
    case 'sync':
      return {
        ...base,
        place: 'Sync',
        asked: [
          { person: 'ana', name: 'you', answered: false, due: hour(15), zone: 'Europe/Lisbon', city: 'Lisbon' },
          { person: 'kofi', name: 'Kofi Mensah', answered: true, due: hour(12), zone: 'Africa/Accra', city: 'Accra' },
          { person: 'tomas', name: 'Tomás Ruiz', answered: false, due: hour(22), zone: 'America/Mexico_City', city: 'Mexico City' },
        ],
        recipients: [owesNothing(MEI), owesNothing(KOFI), { ...TOMAS, due: hour(22) }],
        draft: 'Mostly. Two cases have no place yet: a write that was refused while I was offline, and a space I was removed from. Could both carry a code and one sentence?',
        messages: [
          message('m1', 'Mei Lin', hour(1.2), {
            person: 'mei', zone: 'Asia/Taipei',
            text: 'The draft of the push and pull calls is in the space’s documents.',
            html: '<p>The draft of the push and pull calls is in <a href="https://wiki.example.org/sync">the space’s documents</a>. I’d like to freeze it on Wednesday so that the second client can start.</p><p>What I need from each of you, by your own due:</p><ul><li><strong>Ana:</strong> does the error model cover what the window has to show?</li><li><strong>Kofi:</strong> can the server keep the cursor promise after a restore?</li><li><strong>Tomás:</strong> anything in the mail source that doesn’t fit?</li></ul>',
          }),
          message('m2', 'Kofi Mensah', hour(8 + 40 / 60), {
            person: 'kofi', zone: 'Africa/Accra',
            attachments: [
              { name: 'cursor-and-epoch.pdf', media_type: 'application/pdf', bytes: 412_300, can_save: true },
              { name: 'restore drill, week 46.csv', media_type: 'text/csv', bytes: 9_120, can_save: true },
            ],
            text: 'Yes: the cursor carries an epoch, a restore changes it, and clients start over while keeping what they haven’t sent. Two small comments are in the document.\n> can the server keep the cursor promise after a restore?\n> What if the backup is older than\n> what a client has seen?',
          }),
        ],
      };
    case 'release':
      return {
        ...base, place: 'Releases', recipients: [owesNothing(KOFI)],
        asked: [{ person: 'ana', name: 'you', answered: false, due: row.due, zone: 'Europe/Lisbon', city: 'Lisbon' }],
        messages: [message('r1', 'Kofi Mensah', hour(9.9), {
          person: 'kofi', zone: 'Africa/Accra',
          html: '<p>The certificate that signs the macOS build ends at 12:00 UTC and only you can renew it. I have prepared everything else; the build waits in <code>release/0.9</code>.</p>',
          text: 'The certificate ends at 12:00 UTC.',
        })],
      };
    case 'contract':
      return {
        ...base, place: 'ana@example.org', answers: 'c1',
        recipients: [mailbox('Office', 'office@studies.example.org'), { ...mailbox('Rui Costa', 'rui@example.net'), copied: true }, { ...mailbox('Press desk', 'press@example.net'), copied: true }],
        redirected: ['office@studies.example.org'],
        messages: [message('c1', 'Ines Duarte', hour(9.2), {
          address: 'ines@studies.example.org', reply_to: [{ name: 'Office', address: 'office@studies.example.org' }],
          body: { format: 'foreign', html: MAIL_HTML, text: 'Dear Ana,\n\nattached is the version with your changes. Two points are open:\n\n1. the number of sessions (we wrote eight),\n2. who keeps the recordings.\n\nThe terms are at https://studies.example.org/terms\n\nBest regards\nInes Duarte\n\n> On Friday, Ana Sousa wrote:\n> Could you send it with the changes from our call?', remote_images: 1 },
          attachments: [{ name: 'contract-v3.pdf', media_type: 'application/pdf', bytes: 184_320, can_save: true }],
        })],
      };
    case 'invoice':
      return {
        ...base, place: 'ana@example.org',
        messages: [message('i1', 'Hosting GmbH', row.at, {
          address: 'billing@hosting.example.com',
          body: { format: 'foreign', html: INVOICE_HTML, text: 'Your invoice 2026-118 over € 42.00 is due on 30 November.\n\nhttps://hosting.example.com/invoices/2026-118', remote_images: 1 },
          attachments: [{ name: 'invoice-2026-118.pdf', media_type: 'application/pdf', bytes: 88_412, can_save: true }],
        })],
      };
    case 'broken':
      return {
        ...base, place: 'ana@example.org', can_reply: false,
        messages: [message('b1', 'newsletter@example.net', row.at, { unreadable: 'Its parts are nested deeper than 100 levels. It is untouched in your mailbox.' })],
      };
    default:
      return {
        ...base,
        place: row.source === 'team' ? 'Meantime' : row.source === 'feed' ? row.people : 'ana@example.org',
        recipients: row.source === 'team' ? [owesNothing(JONAS)] : [],
        messages: [message('d1', row.people, row.at, {
          person: row.source === 'team' ? 'jonas' : null, zone: row.source === 'team' ? 'Europe/Berlin' : null,
          text: `${row.note || row.title}.\n\nMore stands behind the link: https://example.org/${row.id}`,
          link: `https://example.org/${row.id}`,
        })],
      };
  }
}
