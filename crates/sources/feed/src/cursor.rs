//! What must be remembered between pulls, as JSON in the [`Cursor`].
//!
//! Which entries were handed out, by a digest of what they said: an entry
//! comes again only when it changed. No text is in here.

use crate::fetch::Known;
use meantime_source::{Cursor, SourceError, SourceResult};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Entries remembered after they left the document.
pub const REMEMBERED: usize = 2_000;

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Of this shape.
    pub version: u32,
    /// From the last document that was handed out whole.
    #[serde(default)]
    pub etag: Option<String>,
    /// The same.
    #[serde(default)]
    pub last_modified: Option<String>,
    /// The first document is not handed out whole yet.
    #[serde(default)]
    pub backfilling: bool,
    /// Names and likenesses of what stood in the first document, until it is
    /// handed out whole: everything else is news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<BTreeSet<String>>,
    /// Counts documents.
    #[serde(default)]
    pub round: u64,
    /// What can't be read of the feed now, as the last page said it: a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// What was handed out, by the entry's id.
    pub seen: BTreeMap<String, Seen>,
}

/// An entry that was handed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Of all it said.
    pub digest: String,
    /// Of its link and title: the same under a new guid is not news.
    pub same: String,
    /// When it was first seen, in seconds since 1970: the date of an entry
    /// that has none.
    pub first: i64,
    /// The last round it was in the document.
    pub round: u64,
}

impl State {
    const VERSION: u32 = 1;

    /// A state that has seen nothing.
    pub fn new() -> Self {
        Self { version: Self::VERSION, backfilling: true, ..Self::default() }
    }

    /// Reads a cursor; one this version does not understand is invalid.
    pub fn read(cursor: &Cursor) -> SourceResult<Self> {
        match serde_json::from_value::<Self>(cursor.0.clone()) {
            Ok(state) if state.version == Self::VERSION => Ok(state),
            _ => Err(SourceError::CursorInvalid),
        }
    }

    /// As a cursor.
    pub fn write(&self) -> SourceResult<Cursor> {
        let value = serde_json::to_value(self)
            .map_err(|error| SourceError::Permanent(format!("What was read can't be remembered: {error}.")))?;
        Ok(Cursor(value))
    }

    /// For the next request.
    pub fn known(&self) -> Known {
        Known { etag: self.etag.clone(), last_modified: self.last_modified.clone() }
    }

    /// Forgets the entries that left the document longest ago.
    pub fn forget(&mut self) {
        let mut left: Vec<(u64, String)> = self
            .seen
            .iter()
            .filter(|(_, seen)| seen.round < self.round)
            .map(|(id, seen)| (seen.round, id.clone()))
            .collect();
        left.sort();
        for (_, id) in left.iter().rev().skip(REMEMBERED) {
            self.seen.remove(id);
        }
    }
}
