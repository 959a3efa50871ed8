//! Where a device stands in a feed.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Which life of the server a sequence number belongs to. Random; changes
/// when a server is restored from a backup, so that a cursor from the lost
/// future is never taken for one of the new past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

/// `EPOCH:SEQ`, the epoch as 16 hexadecimal digits. Everything up to and
/// including `seq` has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The server's epoch when this cursor was given out.
    pub epoch: Epoch,
    /// The last sequence number seen; 0 before the first.
    pub seq: u64,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// The text was not a cursor.
#[derive(Debug, thiserror::Error)]
#[error("a cursor is written EPOCH:SEQ, 16 hexadecimal digits and a number")]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;
    fn from_str(s: &str) -> Result<Self, BadCursor> {
        let (epoch, seq) = s.split_once(':').ok_or(BadCursor)?;
        if epoch.len() != 16 {
            return Err(BadCursor);
        }
        Ok(Self {
            epoch: Epoch(u64::from_str_radix(epoch, 16).map_err(|_| BadCursor)?),
            seq: seq.parse().map_err(|_| BadCursor)?,
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
