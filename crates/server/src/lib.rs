//! `meantime-server`: HTTP over TLS around the rules of `server-core`, on the
//! SQLite backend; and its commands. A library too, so that tests start it in
//! their own process.
//!
//! Judges nothing about records, and serves nothing without TLS.

pub mod clock;
pub mod commands;
pub mod data;
pub mod demo;
pub mod http;
pub mod link;
pub mod serve;
pub mod tls;

pub use clock::SystemClock;
pub use data::DataDir;
pub use serve::{Options, Running};
