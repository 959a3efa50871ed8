//! `meantime-server`: HTTP over TLS around the rules of `server-core`, on the
//! backend that the settings name; and its commands. A library too, so that
//! tests start it in their own process.
//!
//! Judges nothing about records, and serves nothing without TLS but what
//! monitoring reads.

pub mod attachments;
pub mod backend;
pub mod backup;
pub mod clock;
pub mod commands;
pub mod data;
pub mod demo;
pub mod erase;
pub mod export;
pub mod feeds;
pub mod http;
mod limits;
pub mod link;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod observe;
pub mod seal;
pub mod serve;
pub mod settings;
pub mod tls;

pub use clock::SystemClock;
pub use data::DataDir;
pub use serve::{Options, Running};
