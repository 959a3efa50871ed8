//! A record: the envelope the server reads, and the fields it carries.

use crate::Scope;
use chrono::{DateTime, Utc};
use meantime_model::PersonId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// A record's fields: a JSON object. Unknown ones are kept as they came.
pub type Fields = Map<String, Value>;

/// What a record is; [`crate::kinds`] has the known ones. A server keeps
/// kinds it doesn't know only if its rules say so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// A thread: title, urgency, who is asked.
    pub const THREAD: Self = Self(Cow::Borrowed("thread"));
    /// A message in a thread.
    pub const MESSAGE: Self = Self(Cow::Borrowed("message"));
    /// A person of the team.
    pub const MEMBER: Self = Self(Cow::Borrowed("member"));
    /// A person's working hours.
    pub const SCHEDULE: Self = Self(Cow::Borrowed("schedule"));
    /// Whether a person focuses, and until when.
    pub const FOCUS: Self = Self(Cow::Borrowed("focus"));
    /// The team's agreement.
    pub const AGREEMENT: Self = Self(Cow::Borrowed("agreement"));
    /// A closed circle: its title and who is in it.
    pub const SPACE: Self = Self(Cow::Borrowed("space"));
    /// One person's read, done and snoozed state of one item.
    pub const MARK: Self = Self(Cow::Borrowed("mark"));
    /// Those of a person's settings that follow them, in their own feed, its
    /// id the person's. The server does not look into it.
    pub const SETTINGS: Self = Self(Cow::Borrowed("settings"));

    /// A kind by its name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }

    /// The name, as it is on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One row image, as pull and bootstrap deliver it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The feed it belongs to.
    pub scope: Scope,
    /// What it is.
    pub kind: Kind,
    /// Its id within the kind.
    pub id: Uuid,
    /// The place in the feed of its last change. A row applies only if this is newer.
    pub seq: u64,
    /// Who made it.
    pub author: PersonId,
    /// A tombstone: `fields` is empty.
    #[serde(default)]
    pub deleted: bool,
    /// Until then only its author sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible_from: Option<DateTime<Utc>>,
    /// When the server first took it.
    pub created_at: DateTime<Utc>,
    /// When the server last changed it.
    pub updated_at: DateTime<Utc>,
    /// What it says.
    pub fields: Fields,
}
