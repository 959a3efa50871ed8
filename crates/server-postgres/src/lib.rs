//! The server's data in PostgreSQL 15 or newer.
//!
//! Any number of server processes may work on one database. Every statement
//! runs in a transaction that names its team ([`connections`]), as a role
//! that does not own the tables: row-level security keeps teams apart even
//! where a statement would not.
//!
//! Decides nothing: rules are `server-core`'s. Carries no pokes to other
//! processes either; what moved is read from the counters.

mod commit;
mod concerned;
mod connections;
mod failure;
#[cfg(all(feature = "kit", unix))]
pub mod kit;
mod open;
mod people;
mod row;
mod schema;
mod settings;
mod storage;
mod sweep;
mod upkeep;

pub use open::{OpenError, Postgres};
pub use settings::Settings;
