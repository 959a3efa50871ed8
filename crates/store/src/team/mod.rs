//! The team's records as items and messages, with what waits in the outbox on top.
//!
//! A record counts as the server sent it plus the changes of this device that
//! have not come back yet ([`effective`]): what a person did is there at once
//! and survives a pull. Whatever touches a thread projects it anew into
//! [`crate::item`] and [`crate::message`]; nothing else writes those rows.

mod circle;
mod effective;
mod feed;
mod lost;
mod mark;
mod project;
mod push;
mod rejoin;

pub use circle::{circle_members, circle_of_people};
pub use effective::{Effective, all, effective};
pub use feed::{apply_bootstrap, apply_page, begin_anew, forget};
pub use lost::bring_back;
pub use push::{
    Arrived, FileToSend, has_overdue, met, next_file, next_ops, next_ops_past, push, refuse, replay, retry,
    send_overdue, settle,
};
pub use rejoin::rejoin;

pub(crate) use mark::{apply_mark, clear_snooze};

use chrono::{DateTime, Utc};
use meantime_model::{AccountId, ItemId, PersonId, Urgency};
use meantime_protocol::Problem;
use uuid::Uuid;

/// Whose eyes the team is seen with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Team {
    /// The team's account.
    pub account: AccountId,
    /// Me.
    pub me: PersonId,
    /// The present.
    pub now: DateTime<Utc>,
}

/// What a page of a feed, or an op, changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Items that changed.
    pub touched: Vec<ItemId>,
    /// Messages that were not there before, oldest first.
    pub fresh: Vec<FreshMessage>,
    /// Members, schedules, focus or the agreement changed.
    pub team_changed: bool,
    /// Schedules or the agreement changed: dues are to be computed again.
    pub hours_changed: bool,
}

/// A team message that was not there before.
#[derive(Clone, Debug, PartialEq)]
pub struct FreshMessage {
    /// Its thread.
    pub item: ItemId,
    /// Its key.
    pub key: i64,
    /// Its record.
    pub record: Uuid,
    /// Who wrote it.
    pub author: PersonId,
    /// When it arrived at the server, or was made visible.
    pub at: DateTime<Utc>,
    /// I wrote it.
    pub own: bool,
    /// The thread's urgency, as I see it.
    pub urgency: Urgency,
    /// I am asked and have not answered.
    pub asks_me: bool,
    /// I wrote in this thread before.
    pub reply: bool,
    /// It came with a bootstrap, or as the outcome of a push.
    pub backfill: bool,
    /// I read it on another device already.
    pub seen: bool,
}

/// What became of a change that was pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// Its row in the outbox.
    pub outbox: i64,
    /// The conversation it belongs to.
    pub item: Option<ItemId>,
    /// What it did, in a few words.
    pub what: String,
    /// Refused: why. It stays in the outbox.
    pub refused: Option<Problem>,
}
