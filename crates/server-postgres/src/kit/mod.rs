//! A real PostgreSQL and a real nats-server on temporary folders and free
//! ports, for tests of several server processes.
//!
//! Only built with the feature `kit`; nothing of it is in the server. It may
//! panic: that is how a test fails. What it starts ends with the test, also
//! when that fails or is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod nats;
pub mod postgres;

pub use nats::NatsServer;
pub use postgres::PostgresServer;
