//! The server's rules: who may write which field of which kind, what a
//! reader may see, how concurrent changes meet; over a [`Storage`] trait
//! that every backend implements and the suite (feature `suite`) checks.
//!
//! Nothing here knows HTTP or SQL, opens a file or reads a clock: time comes
//! from a [`Clock`]. The rules themselves ([`rules`]) are pure functions; a
//! backend never judges a change, it only commits what was decided on rows
//! that are still the same.

pub mod access;
pub mod accounts;
pub mod attachments;
pub mod audit;
pub mod authenticators;
pub mod clock;
pub mod core;
pub mod devices;
pub mod feed;
pub mod hub;
pub mod join;
pub mod limits;
pub mod members;
pub mod memory;
mod pace;
pub mod password;
pub mod pokes;
pub mod push;
pub mod release;
pub mod row;
pub mod rules;
pub mod seal;
pub mod secret;
pub mod shared;
pub mod sign_in;
pub mod storage;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
mod totp;
mod tries;
mod watched;

pub use access::{Actor, By, TeamScope};
pub use authenticators::Authenticators;
pub use clock::Clock;
pub use core::Core;
pub use hub::{Ended, Live};
pub use join::NewInvite;
pub use members::Person;
pub use password::Costs;
pub use pokes::Pokes;
pub use push::Incoming;
pub use row::{Key, Row, Run};
pub use seal::SealKey;
pub use secret::{Secret, SecretHash};
pub use shared::{Shared, Watch};
pub use storage::{Storage, StorageError};
