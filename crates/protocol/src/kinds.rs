//! The fields of each known kind of record, typed.
//!
//! Every struct keeps what it doesn't know in `rest`, so that a newer client's
//! fields survive an older one. Writes are JSON merge patches (RFC 7396): a
//! client sends only the fields it changes, `null` removes one.

use crate::{Attachment, Fields};
use chrono::{DateTime, Utc};
use meantime_model::{PersonId, Urgency};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `thread`, in a team or private scope. Its author writes it; anybody of the
/// scope may set `outcome`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// One line.
    pub title: String,
    /// How soon an answer is wanted.
    pub urgency: Urgency,
    /// Who is asked for an answer; nobody for an update.
    #[serde(default)]
    pub asked: Vec<PersonId>,
    /// The room it belongs to, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// What the thread ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub rest: Fields,
}

/// `message`, in its thread's scope. Its author writes it; a change of `text`
/// is compare-and-set on `base_seq`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The thread it belongs to.
    pub thread: Uuid,
    /// Markdown.
    pub text: String,
    /// When its author wrote it, by their clock: for display only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<DateTime<Utc>>,
    /// Files that go with it, in the order to show them; all of them are in
    /// the message's scope. At most [`crate::attachment::MAX_ATTACHMENTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub rest: Fields,
}

/// `space`, in a private scope, its id the scope's: the circle itself. Made by
/// any member; its members are who read the scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// One line; a direct thread has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who is in it. A change is compare-and-set on `base_seq`: members add
    /// others, anybody takes themselves out, who made it takes out anybody.
    pub members: Vec<PersonId>,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub rest: Fields,
}

/// `member`, in the team scope, its id the person's. The server makes it when
/// somebody joins; the person writes it, except `role` and `removed_at`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// As teammates see it.
    pub name: String,
    /// Written by the server alone.
    #[serde(default)]
    pub role: Role,
    /// Written by the server alone: no longer in the team, since then. The
    /// record stays, so that what they wrote keeps their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<DateTime<Utc>>,
    /// What they do, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where they are; the zone's city when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub rest: Fields,
}

/// What a person may do in a team.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, and makes owners.
    Owner,
    /// Invites, writes the agreement.
    Admin,
    /// Reads and writes threads.
    #[default]
    Member,
    /// As a member, in the circles they were added to.
    Guest,
}

/// `focus`, in the team scope, its id the person's, who alone writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Focus {
    /// Set while a block runs.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// When it is planned to end; absent for one without an end.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub rest: Fields,
}

/// `agreement`, in the team scope, its id the team's; owners and admins write
/// it. Windows are written as [`meantime_model::due::Window`] is: `4h`, `1d`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The team's name.
    pub team: String,
    /// Reply windows; what is absent has the default.
    #[serde(default)]
    pub windows: Windows,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub rest: Fields,
}

/// A reply window for each urgency, as text (`4h`, `1d`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// For urgent threads; default 4 working hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub red: Option<String>,
    /// For standard threads; default 1 working day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yellow: Option<String>,
    /// For information; default 3 working days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub green: Option<String>,
}

/// `mark`, in a user scope, its id the item's: one person's own state of one
/// item of any source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Everything up to then has been read; merged by maximum. `null` marks it unread.
    #[serde(default)]
    pub read_at: Option<DateTime<Utc>>,
    /// Done since; a later message brings the item back.
    #[serde(default)]
    pub done_at: Option<DateTime<Utc>>,
    /// Out of the inbox until then.
    #[serde(default)]
    pub snoozed_until: Option<DateTime<Utc>>,
    /// Later messages neither notify nor bring it back.
    #[serde(default)]
    pub muted: bool,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub rest: Fields,
}
