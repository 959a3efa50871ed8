//! The commands and events over the local socket, as JSON lines: how the
//! command line talks to a running engine.
//!
//! | to the engine | back |
//! |---|---|
//! | `{"id":1,"call":"inbox","args":{…}}` | `{"id":1,"ok":{…}}` or `{"id":1,"failure":{"code":…,"message":…}}` |
//! | `{"id":2,"listen":true}` | `{"id":2,"ok":{}}`, then `{"event":{…}}` for each event |
//!
//! `id` is the client's own number; requests of one connection run side by
//! side and are answered as they finish. What can't be understood is answered
//! with a failure (`id` null where there was none) and the connection goes
//! on; a failure with `"closing":true` is the last line.
//!
//! Who may connect is decided in `meantime_platform::local`; there is no
//! other authentication. Nothing here knows a single command.

mod client;
mod lines;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Connection, connect};
pub use server::{Host, Listener, listen};
