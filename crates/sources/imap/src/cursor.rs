//! What must be remembered between pulls, as JSON in the [`Cursor`].
//!
//! The inbox is followed message by message: to say which one vanished, its
//! name has to be known by its UID. The archive and the sent mail are only
//! read forwards. No message text is in here.

use meantime_source::{Cursor, Flags, SourceError, SourceResult};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Messages of the inbox that are followed; older ones stay as they were.
pub const FOLLOWED: usize = 10_000;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Of this shape.
    pub version: u32,
    /// `INBOX`.
    pub inbox: Inbox,
    /// Where done messages are.
    #[serde(default)]
    pub archive: Option<Forward>,
    /// Where sent messages are.
    #[serde(default)]
    pub sent: Option<Forward>,
}

/// The inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// UIDs mean nothing once this changes.
    pub uidvalidity: u32,
    /// Messages from here on have not been looked at.
    pub uidnext: u32,
    /// Flags are known up to here, where the server counts.
    pub modseq: Option<u64>,
    /// How many messages there were when all was looked at; `None` where
    /// something is left to look at.
    pub exists: Option<u32>,
    /// What was handed out, by UID.
    pub known: BTreeMap<u32, Known>,
    /// UIDs of the backfill still to be read, the newest last.
    pub todo: Vec<u32>,
}

/// A mailbox that is only read forwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Its name on the wire.
    pub name: String,
    /// UIDs mean nothing once this changes.
    pub uidvalidity: u32,
    /// Messages from here on have not been looked at.
    pub uidnext: u32,
    /// UIDs of the backfill still to be read, the newest last.
    pub todo: Vec<u32>,
}

/// A message of the inbox that was handed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known(pub String, #[serde(with = "bits")] pub Flags);

impl Default for State {
    /// Has seen nothing.
    fn default() -> Self {
        Self { version: Self::VERSION, inbox: Inbox::default(), archive: None, sent: None }
    }
}

impl State {
    const VERSION: u32 = 1;

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

    /// Something of the backfill is left.
    pub fn backfilling(&self) -> bool {
        !self.inbox.todo.is_empty() || [&self.archive, &self.sent].into_iter().flatten().any(|one| !one.todo.is_empty())
    }
}

impl Inbox {
    /// Remembers a message that was handed out, forgetting the oldest.
    pub fn learn(&mut self, uid: u32, name: String, flags: Flags) {
        self.known.insert(uid, Known(name, flags));
        while self.known.len() > FOLLOWED {
            self.known.pop_first();
        }
    }
}

/// Flags as one number: a mailbox has thousands of them.
mod bits {
    use super::Flags;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(flags: &Flags, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(flags.read) | (u8::from(flags.done) << 1))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Flags, D::Error> {
        u8::deserialize(deserializer).map(|bits| Flags { read: bits & 1 != 0, done: bits & 2 != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_the_store() {
        let mut state = State::default();
        state.inbox.learn(7, "a@b#1".into(), Flags { read: true, done: false });
        state.archive = Some(Forward { name: "Archive".into(), uidvalidity: 1, uidnext: 2, todo: vec![1] });
        let cursor = state.write().unwrap();
        assert_eq!(State::read(&cursor).unwrap(), state);
        assert!(cursor.0.to_string().contains(r#""7":["a@b#1",1]"#));
        assert!(state.backfilling());
    }

    #[test]
    fn a_foreign_cursor_is_invalid() {
        assert_eq!(State::read(&Cursor(serde_json::json!({"etag": "x"}))), Err(SourceError::CursorInvalid));
    }

    #[test]
    fn a_mailbox_of_any_size_is_followed_within_bounds() {
        let mut inbox = Inbox::default();
        for uid in 0..FOLLOWED as u32 + 50 {
            inbox.learn(uid, String::new(), Flags::default());
        }
        assert_eq!(inbox.known.len(), FOLLOWED);
        assert!(!inbox.known.contains_key(&49));
    }
}
