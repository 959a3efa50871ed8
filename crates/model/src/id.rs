//! Typed ids. New ones are UUIDv7, so that they sort by the time they were
//! made; ids derived from a source are UUIDv5, so that two devices that read
//! the same mailbox agree on them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Namespace of the ids derived from a source's own ids ([`ItemId::derived`]).
const DERIVED: Uuid = Uuid::from_u128(0x6d65_616e_7469_6d65_9b1c_0a5b_31f2_77c4);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
        #[serde(transparent)]
        #[ts(as = "String")]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, unique, ordered by the time it was made.
            #[must_use]
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(s).map(Self)
            }
        }
    )*};
}

ids! {
    /// A person of a team. The same on every device.
    PersonId,
    /// A team: one server may hold several.
    TeamId,
    /// One installation of the app, as the server knows it.
    DeviceId,
    /// One change on its way to a server or a source; repeated sends carry the same id.
    OpId,
    /// One conversation in the inbox. A team thread's item has the thread's id.
    ItemId,
    /// One configured login to a source.
    AccountId,
    /// One focus block.
    BlockId,
}

impl ItemId {
    /// The id of the conversation that a source calls `upstream`, the same on
    /// every device that reads the account named `identity` (say
    /// `imap:ana@example.org`).
    #[must_use]
    pub fn derived(identity: &str, upstream: &str) -> Self {
        let mut name = Vec::with_capacity(identity.len() + upstream.len() + 1);
        name.extend_from_slice(identity.as_bytes());
        name.push(0);
        name.extend_from_slice(upstream.as_bytes());
        Self(Uuid::new_v5(&DERIVED, &name))
    }
}
