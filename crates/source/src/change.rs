//! What a pull brings.

use crate::{Cursor, SourceError};
use chrono::{DateTime, Utc};
use meantime_model::Urgency;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One page of changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// In any order; each is an upsert or a removal.
    pub changes: Vec<Change>,
    /// Commit it together with `changes`.
    pub next: Cursor,
    /// Ask again at once: there is more.
    pub more: bool,
    /// Part of a backfill: nothing in it may alert.
    pub backfill: bool,
    /// Don't ask before; the system asked for it.
    pub poll_after: Option<Duration>,
    /// Something of the system can't be read, beside what `changes` says of
    /// it: the page counts, and the account's state says this.
    pub trouble: Option<SourceError>,
}

/// One change of one conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A message came (or is there): upsert by (account, conversation, message).
    Message(Box<Incoming>),
    /// The flags of a known message changed upstream.
    Flags {
        /// Which message.
        message: String,
        /// Its flags now.
        flags: Flags,
    },
    /// A known message is gone upstream.
    Gone {
        /// Which message.
        message: String,
    },
}

/// A message together with the conversation it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The conversation, as this message shows it.
    pub item: Item,
    /// The message.
    pub message: Message,
}

/// A conversation, as its newest message shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The system's own id of the conversation (a mail thread's root
    /// Message-ID, a feed's URL with the entry's id).
    pub upstream: String,
    /// One line, without control characters.
    pub title: String,
    /// What the system itself says about the urgency; rules decide otherwise.
    pub urgency: Option<Urgency>,
    /// The person is addressed by name (in To, not a list, not a newsletter).
    pub addressed: bool,
    /// Where it belongs there (a mailbox, a feed's title).
    pub place: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The system's own id of the message, unique in the account.
    pub upstream: String,
    /// Who wrote it.
    pub author: Person,
    /// Whom it is addressed to.
    pub to: Vec<Person>,
    /// Who else got it.
    pub cc: Vec<Person>,
    /// Whom an answer goes to instead of its author; empty where the author
    /// asks for nothing else.
    #[serde(default)]
    pub reply_to: Vec<Person>,
    /// The person of this account wrote it.
    pub own: bool,
    /// By the server's clock where it has one, never in the future.
    pub at: DateTime<Utc>,
    /// Plain text; from the HTML where there is no text part.
    pub text: String,
    /// Sanitised HTML, where the message has any.
    pub html: Option<String>,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
    /// Read, done.
    pub flags: Flags,
    /// It could not be read (fully): why, in one plain sentence.
    pub unreadable: Option<String>,
    /// Where it can be opened in a browser.
    pub link: Option<String>,
}

/// A message's state upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// Seen there.
    pub read: bool,
    /// Archived there: out of the inbox.
    pub done: bool,
}

/// Somebody, as a system names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// As shown; may be empty.
    pub name: String,
    /// Mail address or the system's own handle; may be empty.
    pub address: String,
}

/// What hangs on a message; the bytes stay at the source until asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// File name without a path, at most 255 bytes.
    pub name: String,
    /// Media type as declared; not to be trusted.
    pub media_type: String,
    /// Decoded size in bytes; 0 where it is not known.
    pub bytes: u64,
}
