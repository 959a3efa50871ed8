//! Whose feed a record belongs to.

use meantime_model::{PersonId, TeamId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// One change feed. Written `team:UUID`, `user:UUID` or `private:UUID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everybody in the team reads it.
    Team(TeamId),
    /// One person's own: read, snoozed, done, settings, on each of their devices.
    User(PersonId),
    /// A closed circle: a direct thread or a closed space.
    Private(Uuid),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Team(id) => write!(f, "team:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Private(id) => write!(f, "private:{id}"),
        }
    }
}

/// The text was not `team:UUID`, `user:UUID` or `private:UUID`.
#[derive(Debug, thiserror::Error)]
#[error("a scope is written team:UUID, user:UUID or private:UUID")]
pub struct BadScope;

impl FromStr for Scope {
    type Err = BadScope;
    fn from_str(s: &str) -> Result<Self, BadScope> {
        let (kind, id) = s.split_once(':').ok_or(BadScope)?;
        let id = Uuid::parse_str(id).map_err(|_| BadScope)?;
        match kind {
            "team" => Ok(Self::Team(TeamId(id))),
            "user" => Ok(Self::User(PersonId(id))),
            "private" => Ok(Self::Private(id)),
            _ => Err(BadScope),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
