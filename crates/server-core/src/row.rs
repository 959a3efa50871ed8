//! A record as the server keeps it: what goes over the wire, and what the
//! rules need besides.

use meantime_model::{DeviceId, PersonId};
use meantime_protocol::{Fields, Kind, Record, Scope};
use serde_json::Value;
use uuid::Uuid;

/// Which record, within a team.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The feed.
    pub scope: Scope,
    /// The kind.
    pub kind: Kind,
    /// The id within the kind.
    pub id: Uuid,
}

/// One record in its newest state.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its image on the wire.
    pub record: Record,
    /// Not yet visible to anybody but its author. A fact of its own, not
    /// computed from `visible_from`: so a record appears in the feed at one
    /// place, whatever the clocks say. A draft that is deleted stays held.
    pub held: bool,
    /// Whose the last changes are.
    pub run: Run,
    /// Who wrote a thread's outcome, which anybody may; `None` where it has
    /// none, or one of before this was noted.
    pub decided_by: Option<PersonId>,
}

/// The unbroken run of changes that one device made last. A device that
/// changes its own change again cannot know the seq of the first, so its
/// change stands on whatever the run stood on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The device.
    pub device: DeviceId,
    /// The record's seq before the run; 0 when the run began by making it.
    pub base: u64,
}

impl Row {
    /// Which record it is.
    #[must_use]
    pub fn key(&self) -> Key {
        let Record { scope, kind, id, .. } = &self.record;
        Key { scope: *scope, kind: kind.clone(), id: *id }
    }

    /// Whether a person may see it, given that they read its feed.
    #[must_use]
    pub fn visible_to(&self, reader: PersonId) -> bool {
        !self.held || self.record.author == reader
    }

    /// Whether a change made on `base_seq` (none: on a record the device made
    /// and has no answer for yet) stands on the newest state.
    #[must_use]
    pub fn stands_on(&self, device: DeviceId, base_seq: Option<u64>) -> bool {
        let seen = base_seq.unwrap_or(0);
        base_seq == Some(self.record.seq)
            || (self.run.device == device && (self.run.base..=self.record.seq).contains(&seen))
    }
}

/// What a value weighs beside its JSON: `0,` are two bytes as text, and a value
/// in memory.
const VALUE: usize = 32;

/// How much fields take of what a page or a push may hold, in bytes: their
/// JSON, and something for each value.
#[must_use]
pub fn weight(fields: &Fields) -> usize {
    weight_of(json_bytes(fields), fields)
}

/// As [`weight`], where it is known how many bytes they are as JSON.
#[must_use]
pub fn weight_of(json: usize, fields: &Fields) -> usize {
    json.saturating_add(VALUE.saturating_mul(values(fields)))
}

/// How many values fields hold, at all levels.
#[must_use]
pub fn values(fields: &Fields) -> usize {
    fn of(value: &Value) -> usize {
        1 + match value {
            Value::Array(list) => list.iter().map(of).sum(),
            Value::Object(object) => values(object),
            _ => 0,
        }
    }
    fields.values().map(of).sum()
}

/// How many bytes fields are as JSON.
fn json_bytes(fields: &Fields) -> usize {
    let mut counted = Counted(0);
    match serde_json::to_writer(&mut counted, fields) {
        Ok(()) => counted.0,
        Err(_) => usize::MAX,
    }
}

struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether records of a kind go to a new device first: few, and needed to
/// show any of the others (names, hours, the agreement).
#[must_use]
pub fn goes_first(kind: &Kind) -> bool {
    FIRST.contains(&kind.as_str())
}

/// The kinds of [`goes_first`], for backends that ask their database for them.
pub const FIRST: [&str; 4] = ["agreement", "focus", "member", "schedule"];

/// Whether a guest reads a record of the team's feed; `known`: its id is that
/// of somebody who is in a circle with them, or their own.
#[must_use]
pub fn guest_reads(kind: &Kind, known: bool) -> bool {
    *kind == Kind::AGREEMENT || (known && goes_first(kind))
}
