//! The command and event interface: one list of commands, typed on both
//! sides, the same for the window (Tauri IPC), the CLI (local socket) and
//! the tests. Shapes only; what they do is in the engine.
//!
//! Instants are RFC 3339 in UTC; whoever shows them converts to the reader's
//! zone ([`Status::zone`]).

#[macro_use]
mod commands;
mod account;
mod attachment;
mod conversation;
mod event;
mod failure;
mod focus;
mod image;
mod inbox;
mod people;
mod status;
mod team;

pub use account::*;
pub use attachment::*;
pub use commands::{Caller, Client, Commands, dispatch, typescript};
pub use conversation::*;
pub use event::*;
pub use failure::*;
pub use focus::*;
pub use image::*;
pub use inbox::*;
pub use people::*;
pub use status::*;
pub use team::*;
