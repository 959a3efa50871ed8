//! The engine as a whole, over a real database, with a clock, a notifier and
//! a mailbox that the test holds in its hands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attachments;
mod cable;
mod devices;
mod focus;
mod guest;
mod inbox;
mod rig;
mod team;
mod trouble;
mod typescript;
mod writing;
