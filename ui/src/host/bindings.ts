// Generated from crates/engine/src/api by `cargo xtask codegen`. Do not edit.

/**
 * One configured login, with its state.
 */
export type Account = { 
/**
 * Its id.
 */
id: AccountId, 
/**
 * What kind of place it is.
 */
kind: SourceKind, 
/**
 * As shown, say `ana@example.org`.
 */
name: string, 
/**
 * How it goes.
 */
state: AccountState, 
/**
 * The last time it was read without an error.
 */
checked_at: string | null, 
/**
 * Changes that wait to be written back.
 */
pending: number, };

/**
 * One configured login to a source.
 */
export type AccountId = string;

/**
 * An account, by its id.
 */
export type AccountRef = { 
/**
 * Which.
 */
id: AccountId, };

/**
 * How an account goes.
 */
export type AccountState = { "state": "new" } | { "state": "reading", 
/**
 * Messages so far.
 */
messages: number, } | { "state": "fine" } | { "state": "retrying", 
/**
 * What happened, in plain words.
 */
message: string, 
/**
 * Since when it goes so, as far as that is known: then it was still
 * fine.
 */
since: string, 
/**
 * When it is tried again, where that is known.
 */
again: string | null, } | { "state": "needs_you", 
/**
 * A new password is asked for.
 */
password: boolean, 
/**
 * What happened and what to do, in plain words.
 */
message: string, };

/**
 * What triage does.
 */
export type Action = { "do": "done" } | { "do": "not_done" } | { "do": "snooze", 
/**
 * In the future.
 */
until: string, } | { "do": "snooze_for", 
/**
 * In words.
 */
words: string, } | { "do": "read" } | { "do": "unread" } | { "do": "mute" } | { "do": "unmute" } | { "do": "urgency", 
/**
 * The new one.
 */
urgency: Urgency, };

/**
 * Weeks that follow each other in turn, before `from` as well.
 */
export type Alternate = { 
/**
 * The Monday of a week that has the hours of `weekly`, `2026-01-05`.
 */
from: string, 
/**
 * The week after it, the one after that, …; then `weekly` again.
 */
weeks: Schedule["weekly"][], };

/**
 * What an answer is to be, apart from its text. [`Reply`] has the words; none
 * stands for what is usual in its conversation.
 */
export type AnswerDraft = { 
/**
 * By mail: the message that is answered.
 */
message: string | null, 
/**
 * By mail: the addresses it goes to.
 */
to: Array<string> | null, 
/**
 * In a team thread: when it is delivered.
 */
deliver: Deliver | null, };

/**
 * An earlier message that is being answered.
 */
export type Answered = { 
/**
 * Its id.
 */
message: string, 
/**
 * Whom the answer can go to.
 */
recipients: Array<Recipient>, 
/**
 * As [`Conversation::redirected`].
 */
redirected: Array<string>, };

/**
 * Somebody whose answer is wanted.
 */
export type Asked = { 
/**
 * Who.
 */
person: PersonId, 
/**
 * Their name, `you` for myself.
 */
name: string, 
/**
 * Has answered.
 */
answered: boolean, 
/**
 * When their answer is due; none if they keep no hours.
 */
due: string | null, 
/**
 * Their zone.
 */
zone: string | null, 
/**
 * Where they are, in their own words; empty where it is not known.
 */
city: string, };

/**
 * Files to go with what is being written. They are copied at once: what
 * happens to them afterwards does not matter.
 */
export type Attach = { 
/**
 * The conversation; ends of ids are allowed as in [`ItemRef`](super::ItemRef). None for a
 * new thread.
 */
item: string | null, 
/**
 * Which.
 */
files: Array<FileToAttach>, };

/**
 * What was attached.
 */
export type Attached = { 
/**
 * Those of this call, in their order.
 */
added: Array<AttachedFile>, 
/**
 * All that go with what is being written.
 */
files: Array<AttachedFile>, };

/**
 * A file that was copied into the app's own folder, to go with what is being
 * written.
 */
export type AttachedFile = { 
/**
 * SHA-256 of its bytes, as hexadecimal digits: what it is named by here.
 */
sha256: string, 
/**
 * What it is called.
 */
name: string, 
/**
 * What it is taken for, as in `image/png`.
 */
media_type: string, 
/**
 * Size in bytes.
 */
bytes: number, };

/**
 * What hangs on a message.
 */
export type AttachmentView = { 
/**
 * File name.
 */
name: string, 
/**
 * Media type as declared.
 */
media_type: string, 
/**
 * Size in bytes; 0 where it is not known.
 */
bytes: number, 
/**
 * It can be had: [`SaveAttachment`].
 */
can_save: boolean, };

/**
 * What an authenticator needs; nothing is asked for until a first code came.
 */
export type Authenticator = { 
/**
 * To be typed into it.
 */
secret: string, 
/**
 * The same as an `otpauth:` link.
 */
uri: string, 
/**
 * The link as a picture for its camera (a QR code): rows from the top, a
 * `#` for each dark square and a `.` for each light one, without the
 * light margin of four squares that belongs around them. Empty where the
 * link is too long for one.
 */
picture: Array<string>, };

/**
 * A stretch of somebody's day.
 */
export type Band = { 
/**
 * From, until; may begin before and end after the day shown.
 */
span: Span, 
/**
 * What it is.
 */
kind: BandKind, 
/**
 * Say `leave until Thu`; may be empty.
 */
label: string, };

/**
 * What a band shows.
 */
export type BandKind = "work" | "focus" | "away";

/**
 * A running block.
 */
export type Block = { 
/**
 * Its id.
 */
id: BlockId, 
/**
 * When it was started.
 */
since: string, 
/**
 * When it ends; none runs until it is stopped.
 */
until: string | null, 
/**
 * Items held so far.
 */
held: number, 
/**
 * Messages held so far, of which an item may have several.
 */
messages: number, };

/**
 * One focus block.
 */
export type BlockId = string;

/**
 * A message's body.
 */
export type Body = { "format": "text", 
/**
 * As written.
 */
text: string, } | { "format": "rich", 
/**
 * Safe to insert.
 */
html: string, 
/**
 * As written.
 */
text: string, } | { "format": "foreign", 
/**
 * Sanitised; remote images are named in `data-src` and not loaded.
 */
html: string, 
/**
 * The same as plain text.
 */
text: string, 
/**
 * How many remote images were held back.
 */
remote_images: number, };

/**
 * Other hours from a date on, until the next change.
 */
export type Change = { 
/**
 * The first date with these hours, `2027-01-01`.
 */
from: string, 
/**
 * The zone at home from then on, where it changes too.
 */
zone?: Zone, 
/**
 * The hours, as those of the schedule.
 */
weekly: Schedule["weekly"], 
/**
 * Weeks in turn, as those of the schedule.
 */
alternate?: Alternate, };

/**
 * Where to keep secrets without a keyring.
 */
export type ChooseSecrets = { "keep": "keyring" } | { "keep": "session" } | { "keep": "file", 
/**
 * Encrypts it; at least 12 characters.
 */
passphrase: string, };

/**
 * A new team thread.
 */
export type Compose = { 
/**
 * One line.
 */
title: string, 
/**
 * Markdown.
 */
text: string, 
/**
 * How soon an answer is wanted; red must ask somebody by name.
 */
urgency: Urgency, 
/**
 * Whose answer is wanted; nobody for an update.
 */
asked: Array<PersonId>, 
/**
 * The room it belongs to, by name.
 */
space: string | null, 
/**
 * For those who are asked alone: nobody else in the team reads it.
 */
private: boolean, 
/**
 * When it is delivered.
 */
deliver: Deliver, 
/**
 * Files that go with it, as [`Attached`] named them.
 */
files: Array<AttachedFile>, };

/**
 * The connection to the team server.
 */
export type Connection = { "state": "none" } | { "state": "connecting" } | { "state": "live" } | { "state": "offline", 
/**
 * Since when.
 */
since: string, 
/**
 * Why, in plain words.
 */
message: string, } | { "state": "refused", 
/**
 * What happened and what to do, in plain words.
 */
message: string, 
/**
 * This device was signed out: only signing in or joining again helps.
 */
signed_out: boolean, };

/**
 * Somebody outside of the team.
 */
export type Contact = { 
/**
 * As shown; may be empty.
 */
name: string, 
/**
 * Mail address.
 */
address: string, };

/**
 * One conversation.
 */
export type Conversation = { 
/**
 * As the list shows it.
 */
row: Row, 
/**
 * The space, mailbox or feed it belongs to.
 */
place: string, 
/**
 * Who is asked, and when each one's answer is due.
 */
asked: Array<Asked>, 
/**
 * Oldest first.
 */
messages: Array<MessageView>, 
/**
 * It can be answered here.
 */
can_reply: boolean, 
/**
 * Whom a reply can go to, as the composer shows them.
 */
recipients: Array<Recipient>, 
/**
 * By mail: the message that is answered, by its id: the newest that is not
 * mine.
 */
answers: string | null, 
/**
 * When an answer is delivered unless something else is said: at once by
 * mail, and in a thread that is urgent, whoever answered it by now.
 */
deliver: Deliver, 
/**
 * Mail addresses that get a reply instead of who wrote, because they
 * asked for it; empty as a rule.
 */
redirected: Array<string>, 
/**
 * What was being typed.
 */
draft: string | null, 
/**
 * Files that are to go with it.
 */
draft_files: Array<AttachedFile>, 
/**
 * And whom it is to go to, and when.
 */
draft_answer: AnswerDraft, 
/**
 * Where that answers another message than [`answers`](Self::answers).
 */
draft_answers: Answered | null, };

/**
 * Rows of each list.
 */
export type Counts = { 
/**
 * With something to do: `due today` and `due later`, and what the last
 * block handed over. What the running block holds is not counted yet.
 */
inbox: number, 
/**
 * Where I wait for others.
 */
waiting: number, 
/**
 * Snoozed.
 */
later: number, 
/**
 * Changes not yet at the server or source.
 */
pending: number, };

/**
 * What became of a damaged database.
 */
export type Damage = { 
/**
 * When it was found.
 */
at: string, 
/**
 * What was found, what was kept and what to do, in plain words.
 */
text: string, 
/**
 * Where the damaged file is now.
 */
file: string, };

/**
 * When something is delivered.
 */
export type Deliver = { "when": "now" } | { "when": "when_they_start" } | { "when": "at", 
/**
 * In the future.
 */
at: string, };

/**
 * How close rows stand.
 */
export type Density = "comfortable" | "compact";

/**
 * Takes a file off what is being written.
 */
export type Detach = { 
/**
 * The conversation; none for a new thread.
 */
item: ItemId | null, 
/**
 * Which: [`AttachedFile::sha256`].
 */
sha256: string, };

/**
 * One of my devices.
 */
export type Device = { 
/**
 * Its id.
 */
id: DeviceId, 
/**
 * What it is called.
 */
name: string, 
/**
 * When it joined.
 */
since: string, 
/**
 * When the server last heard of it, to the hour.
 */
seen_at: string, 
/**
 * It is this one.
 */
this: boolean, };

/**
 * One installation of the app, as the server knows it.
 */
export type DeviceId = string;

/**
 * A device, by its id.
 */
export type DeviceRef = { 
/**
 * Which.
 */
id: DeviceId, };

/**
 * What is being typed.
 */
export type Draft = { 
/**
 * The conversation; none for a new thread.
 */
item: ItemId | null, 
/**
 * Markdown or plain text; empty drops the draft.
 */
text: string, 
/**
 * What else a new thread is to be; none leaves that as it is.
 */
thread: ThreadDraft | null, 
/**
 * What else an answer is to be; none leaves that as it is.
 */
answer: AnswerDraft | null, };

/**
 * Where something is being typed.
 */
export type DraftOf = { 
/**
 * The conversation; none for a new thread.
 */
item: ItemId | null, };

/**
 * Something happened. The engine decides what it makes stale.
 */
export type Event = { "event": "changed", 
/**
 * What is stale.
 */
tags: Array<Tag>, } | { "event": "show", 
/**
 * What to show.
 */
what: Target, };

/**
 * Why a command failed: a code for programs, a plain sentence with the next
 * step for people.
 */
export type Failure = { 
/**
 * For programs.
 */
code: FailureCode, 
/**
 * For people.
 */
message: string, };

/**
 * What kind of failure it is.
 */
export type FailureCode = "invalid" | "not_found" | "not_possible" | "auth" | "code_needed" | "certificate" | "offline" | "refused" | "no_secrets" | "internal";

/**
 * A file on this computer.
 */
export type FileToAttach = { 
/**
 * Where it is: a whole path.
 */
path: string, 
/**
 * What it is called, if not as in the path.
 */
name: string | null, };

/**
 * Starts a block, or gives the running one a new end.
 */
export type FocusStart = { 
/**
 * Minutes from now, 1 to 1440; none runs until it is stopped.
 */
minutes: number | null, 
/**
 * The minutes are added to the running block's end.
 */
extend: boolean, };

/**
 * The running block, if any.
 */
export type FocusStatus = { 
/**
 * None: notifications come at once.
 */
block: Block | null, 
/**
 * How long a block is when nothing is said, in minutes.
 */
usual_minutes: number, };

/**
 * Groups of the inbox, in the order they are shown.
 */
export type Group = "held" | "due_today" | "due_later" | "for_information";

/**
 * A heading of the inbox.
 */
export type GroupCount = { 
/**
 * Which.
 */
group: Group, 
/**
 * Its rows.
 */
count: number, 
/**
 * For `held`: when the block was.
 */
held: Span | null, };

/**
 * One message that was found.
 */
export type Hit = { 
/**
 * The conversation it stands in.
 */
row: Row, 
/**
 * When the message was written.
 */
at: string, 
/**
 * Who wrote it.
 */
author: string, 
/**
 * The place in its text, split so that each second piece is a match.
 */
excerpt: Array<string>, };

/**
 * My working hours: the hours file, see docs/hours.schema.json.
 */
export type Hours = { 
/**
 * What teammates see.
 */
schedule: Schedule, 
/**
 * Not kept yet: a proposal (this computer's zone, Monday to Friday).
 */
proposed: boolean, };

/**
 * Mail to be read from files.
 */
export type ImportMail = { 
/**
 * A file or folder of this machine.
 */
path: string, 
/**
 * What is there.
 */
format: MailFormat, };

/**
 * What an import did.
 */
export type Imported = { 
/**
 * Messages new to the store.
 */
added: number, 
/**
 * Messages that were there already.
 */
known: number, 
/**
 * Messages that could not be read; each is visible as an item that says why.
 */
unreadable: number, };

/**
 * The rows of one window, in the order they are shown.
 */
export type InboxPage = { 
/**
 * Rows of the whole list.
 */
total: number, 
/**
 * First row of `rows`.
 */
offset: number, 
/**
 * The list's groups in order, with how many rows each has. Empty where
 * the list has none.
 */
groups: Array<GroupCount>, 
/**
 * The window.
 */
rows: Array<Row>, };

/**
 * A window of rows.
 */
export type InboxQuery = { 
/**
 * Which list.
 */
view: View, 
/**
 * First row, from 0.
 */
offset: number, 
/**
 * Rows wanted, 500 at most.
 */
limit: number, };

/**
 * A link as it was given.
 */
export type InviteLink = { 
/**
 * `meantime://join#…` or the same as https.
 */
link: string, };

/**
 * What a link invites to.
 */
export type InvitePreview = { 
/**
 * The team's name, as the link says it.
 */
team: string, 
/**
 * The server's address.
 */
host: string, 
/**
 * The server has its own certificate authority, whose key the link pins.
 */
pinned: boolean, };

/**
 * One conversation in the inbox. A team thread's item has the thread's id.
 */
export type ItemId = string;

/**
 * An item, by its id.
 */
export type ItemRef = { 
/**
 * The whole id, or a unique end of it, at least four characters.
 */
id: string, };

/**
 * Joining a team.
 */
export type Join = { 
/**
 * The invite link.
 */
link: string, 
/**
 * My name, as teammates will see it.
 */
name: string, };

/**
 * Joined.
 */
export type Joined = { 
/**
 * Me.
 */
person: PersonId, 
/**
 * The team's name.
 */
team: string, };

/**
 * What was being typed, and the files that are to go with it.
 */
export type KeptDraft = { 
/**
 * Markdown or plain text; empty if there is none.
 */
text: string, 
/**
 * What else a new thread is to be; none for an answer, or if nothing was
 * chosen.
 */
thread: ThreadDraft | null, 
/**
 * The files, in their order.
 */
files: Array<AttachedFile>, };

/**
 * A link for somebody: whoever has it comes in, once.
 */
export type Link = { 
/**
 * To be opened, or pasted where a link is asked for.
 */
link: string, 
/**
 * When it lapses.
 */
expires_at: string, };

/**
 * The remote images of a message, to be fetched now. Whoever sent it may
 * learn that it was opened.
 */
export type LoadImages = { 
/**
 * The conversation; ends of ids are allowed as in [`super::ItemRef`].
 */
item: string, 
/**
 * The message: [`super::MessageView::id`].
 */
message: string, };

/**
 * How mail lies on disk.
 */
export type MailFormat = "mbox" | "maildir";

/**
 * One mail server.
 */
export type MailServer = { 
/**
 * Host name or address.
 */
host: string, 
/**
 * Port.
 */
port: number, 
/**
 * How the connection is protected.
 */
security: Security, 
/**
 * SHA-256 of the one certificate to trust, hexadecimal, for a server of
 * one's own; none trusts what the system trusts.
 */
certificate: string | null, };

/**
 * Me in my team.
 */
export type Me = { 
/**
 * My id.
 */
id: PersonId, 
/**
 * My name.
 */
name: string, 
/**
 * Where I am.
 */
city: string, 
/**
 * My team's name.
 */
team: string, };

/**
 * A person, by their id.
 */
export type MemberRef = { 
/**
 * Who.
 */
person: PersonId, };

/**
 * Who is in the team.
 */
export type Members = { 
/**
 * The roles I may give and take; empty for who decides nothing.
 */
may_give: Array<Role>, 
/**
 * Me first, then by name; those who were removed last.
 */
members: Array<TeamMember>, };

/**
 * One message.
 */
export type MessageView = { 
/**
 * Unique within the conversation.
 */
id: string, 
/**
 * As shown.
 */
author: string, 
/**
 * Mail address, where there is one.
 */
address: string, 
/**
 * Where its author wants answers; empty where that is the author.
 */
reply_to: Array<Contact>, 
/**
 * The teammate, where it is one: colour and zone go by them.
 */
person: PersonId | null, 
/**
 * The author's zone, where it is known.
 */
zone: string | null, 
/**
 * Where the author is, in their own words; empty where it is not known.
 */
city: string, 
/**
 * I wrote it.
 */
own: boolean, 
/**
 * When.
 */
at: string, 
/**
 * The body.
 */
body: Body, 
/**
 * What hangs on it.
 */
attachments: Array<AttachmentView>, 
/**
 * It could not be read (fully): why.
 */
unreadable: string | null, 
/**
 * On its way, or refused.
 */
sending: Sending | null, 
/**
 * Where it can be opened in a browser.
 */
link: string | null, };

/**
 * What is needed to add an account.
 */
export type NewAccount = { "kind": "imap" } & NewMailbox | { "kind": "feed", 
/**
 * Of the feed, or of a page that names one.
 */
url: string, 
/**
 * The person allowed an address that is not on the public internet.
 */
private: boolean, };

/**
 * An invite for somebody new.
 */
export type NewInvite = { 
/**
 * What they become.
 */
role: Role, 
/**
 * For how many hours it is good, 1 to 72.
 */
valid_hours: number, };

/**
 * A mailbox, and how it sends.
 */
export type NewMailbox = { 
/**
 * The person's own address.
 */
address: string, 
/**
 * As recipients see it; may be empty.
 */
display_name: string, 
/**
 * Sign-in name at both servers.
 */
user: string, 
/**
 * Goes to the keyring and nowhere else.
 */
password: string, 
/**
 * Where mail is read.
 */
imap: MailServer, 
/**
 * Where mail is sent; none: read only.
 */
smtp: MailServer | null, };

/**
 * No arguments, or nothing to answer.
 */
export type Nothing = Record<symbol, never>;

/**
 * Common working time.
 */
export type Overlap = { 
/**
 * In which all of them work, on the day shown.
 */
day: Array<Span>, 
/**
 * The next slot of the wanted length, within four weeks.
 */
next: Span | null, 
/**
 * The slot as one line of text, each person's time in it, to be copied.
 */
text: string | null, };

/**
 * Whose common time is wanted.
 */
export type OverlapQuery = { 
/**
 * Who.
 */
people: Array<PersonId>, 
/**
 * How long the next common slot must be, in minutes.
 */
minutes: number, 
/**
 * The day shown; today when absent.
 */
day: string | null, };

/**
 * A person of a team. The same on every device.
 */
export type PersonId = string;

/**
 * What somebody does now. No presence: only what helps to plan.
 */
export type PersonState = { "state": "works", 
/**
 * The end of the present stretch.
 */
until: string, } | { "state": "focusing", 
/**
 * Its end, if it has one.
 */
until: string | null, } | { "state": "starts", 
/**
 * The next opening.
 */
at: string, } | { "state": "away", 
/**
 * The next opening after the leave.
 */
until: string, } | { "state": "unknown" };

/**
 * Somebody who will get what is being written.
 */
export type Recipient = { 
/**
 * The teammate; none for a mail address.
 */
person: PersonId | null, 
/**
 * As shown.
 */
name: string, 
/**
 * Their mail address; empty for a teammate.
 */
address: string, 
/**
 * Their zone, where it is known.
 */
zone: string | null, 
/**
 * Where they are, in their own words; empty where it is not known.
 */
city: string, 
/**
 * What they do now.
 */
state: PersonState, 
/**
 * Whether a notification would be held, were it sent now: why.
 */
held: string | null, 
/**
 * When the answer that is asked of them is due; none if none is.
 */
due: string | null, 
/**
 * When they start to work next, if they don't now.
 */
starts: string | null, 
/**
 * By mail: they got it beside me, and get an answer only if it is for all.
 */
copied?: boolean, };

/**
 * Who a new thread would go to.
 */
export type RecipientsQuery = { 
/**
 * Who; nobody asks for everybody.
 */
people: Array<PersonId>, 
/**
 * Decides the reply window.
 */
urgency: Urgency, 
/**
 * When it would be delivered: dues count from then.
 */
deliver: Deliver, };

/**
 * Something refused: nothing a person typed is ever dropped.
 */
export type Refusal = { 
/**
 * For [`SettleRefusal`].
 */
id: number, 
/**
 * The conversation, where there is one.
 */
item: ItemId | null, 
/**
 * What was to be done, in a few words.
 */
what: string, 
/**
 * What was typed.
 */
text: string, 
/**
 * Why it was refused.
 */
message: string, 
/**
 * What stands there now, where somebody changed the same meanwhile.
 * Trying again then puts mine in its place.
 */
present: string | null, };

/**
 * An image.
 */
export type RemoteImage = { 
/**
 * As the message names it, in `data-src`.
 */
address: string, 
/**
 * Its bytes as a `data:` address.
 */
data: string, };

/**
 * What was fetched.
 */
export type RemoteImages = { 
/**
 * The images, in no order.
 */
images: Array<RemoteImage>, 
/**
 * How many could not be had, or are not to be shown: not found, too
 * large, no image, an address that is asked by nobody.
 */
missing: number, };

/**
 * An account to be removed.
 */
export type RemoveAccount = { 
/**
 * Which.
 */
id: AccountId, 
/**
 * Also when something is lost with it ([`Unsent`]).
 */
lose_unsent: boolean, };

/**
 * An answer.
 */
export type Reply = { 
/**
 * The conversation; ends of ids are allowed as in [`ItemRef`].
 */
item: string, 
/**
 * Markdown in a team thread, plain text in mail.
 */
text: string, 
/**
 * Marks the conversation done as well.
 */
done: boolean, 
/**
 * When it is delivered; team threads only.
 */
deliver: Deliver, 
/**
 * Files that go with it, as [`Attached`] named them.
 */
files: Array<AttachedFile>, 
/**
 * By mail: the message that is answered, by its id. None: the newest that
 * is not mine.
 */
message?: string, 
/**
 * By mail: the addresses it goes to, out of [`Conversation::recipients`].
 * None: to who wrote, and to none of those who are `copied`.
 */
to?: Array<string>, };

/**
 * What somebody may do in the team.
 */
export type Role = "owner" | "admin" | "member" | "guest";

/**
 * One item as a list shows it.
 */
export type Row = { 
/**
 * The item.
 */
id: ItemId, 
/**
 * Its group, in the inbox.
 */
group: Group | null, 
/**
 * One line.
 */
title: string, 
/**
 * How soon an answer is wanted; for information where none is any more.
 */
urgency: Urgency, 
/**
 * Where it comes from.
 */
source: SourceKind, 
/**
 * For the people of a closed circle alone.
 */
private: boolean, 
/**
 * Who wrote (last), as shown.
 */
people: string, 
/**
 * A few words more: `1 of 3 answered`, the newest message's start.
 */
note: string, 
/**
 * Why it came through a block, until it is looked at, or why an answer
 * that is waited for has no due, in plain words.
 */
why: string | null, 
/**
 * When my answer is due.
 */
due: string | null, 
/**
 * The newest message.
 */
at: string, 
/**
 * Something in it has not been read.
 */
unread: boolean, 
/**
 * Held now, by the running block.
 */
held: boolean, 
/**
 * Out of the inbox until then.
 */
snoozed_until: string | null, 
/**
 * Later messages neither notify nor bring it back.
 */
muted: boolean, 
/**
 * Done.
 */
done: boolean, 
/**
 * It could not be read: why.
 */
unreadable: string | null, };

/**
 * A file of a message, to be saved.
 */
export type SaveAttachment = { 
/**
 * The conversation; ends of ids are allowed as in [`ItemRef`](super::ItemRef).
 */
item: string, 
/**
 * The message: [`MessageView::id`](super::MessageView::id).
 */
message: string, 
/**
 * Which of its attachments; 0 is the first.
 */
index: number, 
/**
 * A folder, or a file that is not there yet, as a whole path; none: the
 * folder for downloads.
 */
to: string | null, };

/**
 * A file was saved.
 */
export type SavedFile = { 
/**
 * Where: the whole path.
 */
path: string, 
/**
 * What it is called there.
 */
name: string, 
/**
 * The folder's own name.
 */
folder: string, };

/**
 * When a person works. As JSON it is the hours file.
 */
export type Schedule = { 
/**
 * The zone at home, in which all local times are but those of a stay.
 */
zone: Zone, 
/**
 * For each day its intervals, local times as `HH:MM`; one that ends before
 * it starts runs past midnight, `24:00` is allowed as an end.
 */
weekly: { [day in "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun"]?: [string, string][] }, 
/**
 * Other weeks that follow `weekly` in turn.
 */
alternate?: Alternate, 
/**
 * Other hours from a date on, in order.
 */
changes?: Array<Change>, 
/**
 * Dates spent in other zones, in order.
 */
stays?: Array<Stay>, 
/**
 * Leave, sick days.
 */
time_off?: Array<TimeOff>, 
/**
 * Public holidays.
 */
holidays?: Array<TimeOff>, };

/**
 * Hits, newest first.
 */
export type SearchPage = { 
/**
 * One a message.
 */
hits: Array<Hit>, 
/**
 * For the next page; none on the last.
 */
next: number | null, };

/**
 * A search.
 */
export type SearchQuery = { 
/**
 * Words; all must occur, the last may be a beginning. `"…"` is a phrase.
 */
words: string, 
/**
 * `next` of the page before.
 */
before: number | null, 
/**
 * Hits wanted, 200 at most.
 */
limit: number, };

/**
 * Where secrets are kept.
 */
export type SecretsState = { "kept": "keyring" } | { "kept": "undecided", 
/**
 * Why the keyring can't be used.
 */
message: string, } | { "kept": "session" } | { "kept": "file", 
/**
 * The passphrase has not been given since the start.
 */
locked: boolean, };

/**
 * How a connection is protected.
 */
export type Security = "tls" | "starttls" | "plain";

/**
 * A message of mine that has not arrived yet.
 */
export type Sending = { "state": "pending" } | { "state": "scheduled", 
/**
 * When it is delivered.
 */
at: string, } | { "state": "refused", 
/**
 * Why.
 */
message: string, };

/**
 * Login and password, set or changed. A change ends my other devices.
 */
export type SetPassword = { 
/**
 * 3 to 100 characters without spaces.
 */
login: string, 
/**
 * 10 to 256 characters.
 */
password: string, 
/**
 * The present one, where there is one.
 */
current: string | null, };

/**
 * What somebody may do from now on.
 */
export type SetRole = { 
/**
 * Who.
 */
person: PersonId, 
/**
 * Not from or to guest.
 */
role: Role, };

/**
 * My settings. The first three are those of the person, on each of their
 * devices; the others are this device's.
 */
export type Settings = { 
/**
 * Who may break through a focus block with a red item that asks me.
 */
may_interrupt: Array<PersonId>, 
/**
 * Mail addresses that may, for items of other sources that are red.
 */
may_interrupt_addresses: Array<string>, 
/**
 * How long a focus block is when nothing is said, in minutes.
 */
focus_minutes: number, 
/**
 * Show the content of a message in its notification.
 */
notification_content: boolean, 
/**
 * Single-letter keys.
 */
letter_keys: boolean, 
/**
 * `system`, `light` or `dark`.
 */
theme: Theme, 
/**
 * `comfortable` or `compact`.
 */
density: Density, 
/**
 * Start with the system, hidden.
 */
autostart: boolean, };

/**
 * What to do about a refusal.
 */
export type SettleRefusal = { 
/**
 * Which.
 */
id: number, 
/**
 * Try it again; else let it go.
 */
retry: boolean, };

/**
 * A new password for an account.
 */
export type SignIn = { 
/**
 * Which account.
 */
id: AccountId, 
/**
 * Goes to the keyring and nowhere else.
 */
password: string, };

/**
 * How I sign in on a further device.
 */
export type SignInInfo = { 
/**
 * Where: `HOST:PORT`, and behind `#` the key of the server's own
 * certificate authority, where it has one.
 */
server: string, 
/**
 * The name to sign in with; none before a password was set.
 */
login: string | null, 
/**
 * A code of my authenticator is asked for as well.
 */
totp: boolean, };

/**
 * A further device, by login and password.
 */
export type SignInToTeam = { 
/**
 * As [`SignInInfo::server`]; empty for the server that this device was
 * signed out of.
 */
server: string, 
/**
 * The name to sign in with.
 */
login: string, 
/**
 * Goes to the server and nowhere else.
 */
password: string, 
/**
 * The authenticator's present code, for those who have one.
 */
code: string | null, };

/**
 * One way to snooze.
 */
export type SnoozeChoice = { 
/**
 * `In 3 hours`, `When I start tomorrow`, …
 */
label: string, 
/**
 * The resolved time.
 */
until: string, };

/**
 * Where an item comes from.
 */
export type SourceKind = "team" | "imap" | "feed" | "archive";

/**
 * From, until.
 */
export type Span = { 
/**
 * Included.
 */
start: string, 
/**
 * Not included.
 */
end: string, };

/**
 * The state of the app in one look.
 */
export type Status = { 
/**
 * Of the running engine.
 */
version: string, 
/**
 * Nothing has been set up yet: show the first run.
 */
first_run: boolean, 
/**
 * Me, once I joined a team.
 */
me: Me | null, 
/**
 * The zone instants are shown in: my schedule's, else this computer's.
 */
zone: string, 
/**
 * This computer's zone, where it is another than `zone`.
 */
other_zone: string | null, 
/**
 * What I do now, by my own hours.
 */
state: PersonState, 
/**
 * The running focus block.
 */
focus: FocusStatus, 
/**
 * Rows of each list.
 */
counts: Counts, 
/**
 * The connection to the team server.
 */
connection: Connection, 
/**
 * Refusals that wait for me.
 */
refusals: number, 
/**
 * Accounts that need me.
 */
broken_accounts: number, 
/**
 * Accounts whose server has not been reached for longer than a moment;
 * they are tried again by themselves.
 */
unreachable: Array<Unreachable>, 
/**
 * The database was found damaged, and the person has not seen that yet.
 */
damage?: Array<Damage>, 
/**
 * Where secrets are kept.
 */
secrets: SecretsState, 
/**
 * Notifications can't be shown: why.
 */
notifications: string | null, };

/**
 * Dates spent in another zone: the hours are kept by its clock.
 */
export type Stay = { 
/**
 * The zone.
 */
zone: Zone, 
/**
 * The first date there, `2026-11-30`.
 */
from: string, 
/**
 * The last date there.
 */
to: string, };

/**
 * A part of what is shown.
 */
export type Tag = { "tag": "inbox" } | { "tag": "item", "id": ItemId } | { "tag": "team" } | { "tag": "focus" } | { "tag": "accounts" } | { "tag": "settings" } | { "tag": "status" };

/**
 * Something the window can show.
 */
export type Target = { "target": "inbox" } | { "target": "item", 
/**
 * Which.
 */
id: ItemId, } | { "target": "join", 
/**
 * The invite link.
 */
link: string, };

/**
 * Somebody of the team.
 */
export type TeamMember = { 
/**
 * Who.
 */
id: PersonId, 
/**
 * As shown.
 */
name: string, 
/**
 * It is me.
 */
you: boolean, 
/**
 * What they may do.
 */
role: Role, 
/**
 * Not in the team any more, since then.
 */
removed_at: string | null, };

/**
 * Everybody's day on one band, in my zone.
 */
export type TeamPage = { 
/**
 * The team's name; none without a team.
 */
team: string | null, 
/**
 * My zone.
 */
zone: string, 
/**
 * The day shown: my midnight to my midnight, 23 to 25 hours.
 */
day: Span, 
/**
 * When this page was made.
 */
now: string, 
/**
 * Me first, then by the start of their day.
 */
people: Array<TeamPerson>, 
/**
 * What is special in the next fortnight, in plain sentences.
 */
notes: Array<string>, };

/**
 * One person's day.
 */
export type TeamPerson = { 
/**
 * Who.
 */
id: PersonId, 
/**
 * As shown.
 */
name: string, 
/**
 * It is me.
 */
you: boolean, 
/**
 * What they do, in a few words.
 */
title: string, 
/**
 * Where they are.
 */
city: string, 
/**
 * Their zone; none if they keep no hours.
 */
zone: string | null, 
/**
 * What they do now.
 */
state: PersonState, 
/**
 * Their bands within the day shown.
 */
bands: Array<Band>, };

/**
 * Which day is shown.
 */
export type TeamQuery = { 
/**
 * In my zone; today when absent.
 */
day: string | null, };

/**
 * Light or dark.
 */
export type Theme = "system" | "light" | "dark";

/**
 * What a new thread is to be, apart from its text; [`Compose`] has the words.
 */
export type ThreadDraft = { 
/**
 * One line.
 */
title: string, 
/**
 * How soon an answer is wanted.
 */
urgency: Urgency, 
/**
 * Whose answer is wanted.
 */
asked: Array<PersonId>, 
/**
 * The room it belongs to; may be empty.
 */
space: string, 
/**
 * For those who are asked alone.
 */
private: boolean, 
/**
 * When it is delivered.
 */
deliver: Deliver, };

/**
 * A stretch in which a person doesn't work.
 */
export type TimeOff = { 
/**
 * A whole day, `2026-12-24`, or a local time, `2026-12-31T12:00`.
 */
from: string, 
/**
 * A day is included, a local time is not.
 */
to: string, 
/**
 * What teammates see, say `leave` or `Christmas`.
 */
label?: string, };

/**
 * A code of my authenticator.
 */
export type TotpCode = { 
/**
 * Six digits.
 */
code: string, };

/**
 * One change of one or many items.
 */
export type Triage = { 
/**
 * Which items; ends of ids are allowed as in [`ItemRef`].
 */
ids: Array<string>, 
/**
 * What to do with them.
 */
action: Action, };

/**
 * What was done, and how it can be taken back.
 */
export type Undoable = { 
/**
 * In a few words, say `Done: Review API draft`.
 */
what: string, 
/**
 * The item concerned, or the first of many.
 */
item: ItemId | null, 
/**
 * `undo` works until then, and longer where it has not gone out or appears
 * to others later; `None`: as long as nothing else was done.
 */
until: string | null, 
/**
 * For something written: that it has not gone out yet.
 */
sending: Sending | null, 
/**
 * Nothing changed by it: it was so already, and there is no step to undo.
 */
unchanged?: boolean, 
/**
 * For an answer by mail: whom it goes to.
 */
to?: Array<Contact>, };

/**
 * What was taken back.
 */
export type Undone = { 
/**
 * What had been done, as its [`Undoable`] named it.
 */
what: string, 
/**
 * How it is now, say `Back in the inbox: Review API draft`.
 */
said: string, 
/**
 * The item concerned, or the first of many.
 */
item: ItemId | null, };

/**
 * An account whose server is not reached.
 */
export type Unreachable = { 
/**
 * The account's name.
 */
name: string, 
/**
 * Since when.
 */
since: string, 
/**
 * Why, in plain words.
 */
message: string, };

/**
 * What of an account is nowhere else and would be lost with it.
 */
export type Unsent = { 
/**
 * What was typed and has not arrived.
 */
texts: Array<UnsentText>, 
/**
 * Other changes that have not arrived: done, read, working hours, …
 */
changes: number, };

/**
 * How far a text came.
 */
export type UnsentState = "draft" | "waiting" | "refused";

/**
 * Something typed that has not arrived.
 */
export type UnsentText = { 
/**
 * Its conversation, or what it was to do.
 */
title: string, 
/**
 * How far it came.
 */
state: UnsentState, 
/**
 * The words.
 */
text: string, };

/**
 * Urgency, the most urgent first, so that `Ord` sorts a list as it is shown.
 */
export type Urgency = "red" | "yellow" | "green";

/**
 * A list of the window.
 */
export type View = "inbox" | "waiting" | "later" | "done";

/**
 * My password, to show that it is me.
 */
export type WithPassword = { 
/**
 * Goes to the server and nowhere else.
 */
password: string, };

/**
 * A time zone. As text its IANA name, `Europe/Lisbon`; read without regard to case.
 */
export type Zone = string;

export type Commands = {
  status: { args: Nothing; reply: Status };
  damage_seen: { args: Nothing; reply: Nothing };
  inbox: { args: InboxQuery; reply: InboxPage };
  open: { args: ItemRef; reply: Conversation };
  triage: { args: Triage; reply: Undoable };
  undo: { args: Nothing; reply: Undone };
  snooze_choices: { args: ItemRef; reply: Array<SnoozeChoice> };
  search: { args: SearchQuery; reply: SearchPage };
  draft: { args: DraftOf; reply: KeptDraft };
  save_draft: { args: Draft; reply: Nothing };
  attach: { args: Attach; reply: Attached };
  detach: { args: Detach; reply: KeptDraft };
  save_attachment: { args: SaveAttachment; reply: SavedFile };
  load_images: { args: LoadImages; reply: RemoteImages };
  reply: { args: Reply; reply: Undoable };
  compose: { args: Compose; reply: Undoable };
  recipients: { args: RecipientsQuery; reply: Array<Recipient> };
  refusals: { args: Nothing; reply: Array<Refusal> };
  settle_refusal: { args: SettleRefusal; reply: Nothing };
  focus_start: { args: FocusStart; reply: FocusStatus };
  focus_stop: { args: Nothing; reply: FocusStatus };
  focus_toggle: { args: Nothing; reply: FocusStatus };
  focus_status: { args: Nothing; reply: FocusStatus };
  team: { args: TeamQuery; reply: TeamPage };
  overlap: { args: OverlapQuery; reply: Overlap };
  hours: { args: Nothing; reply: Hours };
  set_hours: { args: Hours; reply: Nothing };
  settings: { args: Nothing; reply: Settings };
  set_settings: { args: Settings; reply: Nothing };
  accounts: { args: Nothing; reply: Array<Account> };
  add_account: { args: NewAccount; reply: Account };
  check_account: { args: AccountRef; reply: Account };
  sign_in_account: { args: SignIn; reply: Account };
  unsent: { args: AccountRef; reply: Unsent };
  remove_account: { args: RemoveAccount; reply: Unsent };
  import_mail: { args: ImportMail; reply: Imported };
  look_at_invite: { args: InviteLink; reply: InvitePreview };
  join: { args: Join; reply: Joined };
  sign_in: { args: SignInToTeam; reply: Joined };
  devices: { args: Nothing; reply: Array<Device> };
  end_device: { args: DeviceRef; reply: Nothing };
  device_link: { args: Nothing; reply: Link };
  sign_in_info: { args: Nothing; reply: SignInInfo };
  set_password: { args: SetPassword; reply: SignInInfo };
  totp_begin: { args: WithPassword; reply: Authenticator };
  totp_confirm: { args: TotpCode; reply: SignInInfo };
  totp_end: { args: WithPassword; reply: SignInInfo };
  members: { args: Nothing; reply: Members };
  set_role: { args: SetRole; reply: Nothing };
  remove_member: { args: MemberRef; reply: Nothing };
  member_link: { args: MemberRef; reply: Link };
  invite: { args: NewInvite; reply: Link };
  start_sample: { args: Nothing; reply: Joined };
  secrets: { args: Nothing; reply: SecretsState };
  choose_secrets: { args: ChooseSecrets; reply: SecretsState };
};
