//! Lists of items, triage, search.

use super::{Contact, Sending};
use chrono::{DateTime, Utc};
use meantime_model::{ItemId, Urgency};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A list of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// What is to be answered or read.
    #[default]
    Inbox,
    /// Where I wait for others' answers.
    Waiting,
    /// Snoozed.
    Later,
    /// Done, the newest first.
    Done,
}

/// A window of rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct InboxQuery {
    /// Which list.
    pub view: View,
    /// First row, from 0.
    pub offset: u32,
    /// Rows wanted, 500 at most.
    pub limit: u32,
}

/// The rows of one window, in the order they are shown.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct InboxPage {
    /// Rows of the whole list.
    pub total: u32,
    /// First row of `rows`.
    pub offset: u32,
    /// The list's groups in order, with how many rows each has. Empty where
    /// the list has none.
    pub groups: Vec<GroupCount>,
    /// The window.
    pub rows: Vec<Row>,
}

/// A heading of the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GroupCount {
    /// Which.
    pub group: Group,
    /// Its rows.
    pub count: u32,
    /// For `held`: when the block was.
    pub held: Option<Span>,
}

/// Groups of the inbox, in the order they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Held in the last block and handed over, not looked at yet.
    Held,
    /// Due by the end of my day, or overdue.
    DueToday,
    /// Due later.
    DueLater,
    /// Nobody waits for an answer.
    ForInformation,
}

/// From, until.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Span {
    /// Included.
    pub start: DateTime<Utc>,
    /// Not included.
    pub end: DateTime<Utc>,
}

/// Where an item comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// The team server.
    Team,
    /// A mailbox.
    Imap,
    /// RSS, Atom or JSON feed.
    Feed,
    /// Mail read from files.
    Archive,
}

/// One item as a list shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Row {
    /// The item.
    pub id: ItemId,
    /// Its group, in the inbox.
    pub group: Option<Group>,
    /// One line.
    pub title: String,
    /// How soon an answer is wanted; for information where none is any more.
    pub urgency: Urgency,
    /// Where it comes from.
    pub source: SourceKind,
    /// For the people of a closed circle alone.
    #[serde(default)]
    pub private: bool,
    /// Who wrote (last), as shown.
    pub people: String,
    /// A few words more: `1 of 3 answered`, the newest message's start.
    pub note: String,
    /// Why it came through a block, until it is looked at, or why an answer
    /// that is waited for has no due, in plain words.
    pub why: Option<String>,
    /// When my answer is due.
    pub due: Option<DateTime<Utc>>,
    /// The newest message.
    pub at: DateTime<Utc>,
    /// Something in it has not been read.
    pub unread: bool,
    /// Held now, by the running block.
    pub held: bool,
    /// Out of the inbox until then.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// Later messages neither notify nor bring it back.
    pub muted: bool,
    /// Done.
    pub done: bool,
    /// It could not be read: why.
    pub unreadable: Option<String>,
}

/// An item, by its id.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ItemRef {
    /// The whole id, or a unique end of it, at least four characters.
    pub id: String,
}

/// One change of one or many items.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Triage {
    /// Which items; ends of ids are allowed as in [`ItemRef`].
    pub ids: Vec<String>,
    /// What to do with them.
    pub action: Action,
}

/// What triage does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Nothing left to do; archived at the source where it can be.
    Done,
    /// Back to the inbox.
    NotDone,
    /// Out of the inbox until then, or until somebody answers.
    Snooze {
        /// In the future.
        until: DateTime<Utc>,
    },
    /// As `Snooze`, the time in words: `3h`, `2d` (working days), `tomorrow`,
    /// `monday`, `2026-12-24 09:00`.
    SnoozeFor {
        /// In words.
        words: String,
    },
    /// All of it has been read.
    Read,
    /// Its newest message has not.
    Unread,
    /// Later messages neither notify nor bring it back.
    Mute,
    /// Undoes `Mute`.
    Unmute,
    /// My own view of how soon an answer is wanted.
    Urgency {
        /// The new one.
        urgency: Urgency,
    },
}

/// What was done, and how it can be taken back.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Undoable {
    /// In a few words, say `Done: Review API draft`.
    pub what: String,
    /// The item concerned, or the first of many.
    pub item: Option<ItemId>,
    /// `undo` works until then, and longer where it has not gone out or appears
    /// to others later; `None`: as long as nothing else was done.
    pub until: Option<DateTime<Utc>>,
    /// For something written: that it has not gone out yet.
    #[serde(default)]
    pub sending: Option<Sending>,
    /// Nothing changed by it: it was so already, and there is no step to undo.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub unchanged: bool,
    /// For an answer by mail: whom it goes to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<Contact>>")]
    pub to: Vec<Contact>,
}

/// What was taken back.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Undone {
    /// What had been done, as its [`Undoable`] named it.
    pub what: String,
    /// How it is now, say `Back in the inbox: Review API draft`.
    pub said: String,
    /// The item concerned, or the first of many.
    pub item: Option<ItemId>,
}

/// One way to snooze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SnoozeChoice {
    /// `In 3 hours`, `When I start tomorrow`, …
    pub label: String,
    /// The resolved time.
    pub until: DateTime<Utc>,
}

/// A search.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct SearchQuery {
    /// Words; all must occur, the last may be a beginning. `"…"` is a phrase.
    pub words: String,
    /// `next` of the page before.
    pub before: Option<i64>,
    /// Hits wanted, 200 at most.
    pub limit: u32,
}

/// Hits, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SearchPage {
    /// One a message.
    pub hits: Vec<Hit>,
    /// For the next page; none on the last.
    pub next: Option<i64>,
}

/// One message that was found.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Hit {
    /// The conversation it stands in.
    pub row: Row,
    /// When the message was written.
    pub at: DateTime<Utc>,
    /// Who wrote it.
    pub author: String,
    /// The place in its text, split so that each second piece is a match.
    pub excerpt: Vec<String>,
}
