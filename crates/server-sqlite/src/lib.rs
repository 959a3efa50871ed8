//! The server's data in one SQLite file.
//!
//! One thread writes ([`writer`]) and gathers what waits into one durable
//! transaction; several connections read. Several processes may have the
//! file open (the operator's commands beside the server).
//!
//! Decides nothing: rules are `server-core`'s.

mod open;
mod people;
mod readers;
mod row;
mod schema;
mod storage;
mod sweep;
pub mod upkeep;
mod writer;

pub use open::{OpenError, Sqlite};
