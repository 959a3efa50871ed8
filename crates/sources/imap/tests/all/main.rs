//! The mailbox source against real servers, and its parser against hostile
//! bytes. Everything is started by the tests themselves; the servers are at
//! home on Linux, elsewhere the parser alone is tried.
// Clippy's exemption for tests covers test functions, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(target_os = "linux")]
mod conformance;
mod corpus;
#[cfg(target_os = "linux")]
mod mailbox;
#[cfg(target_os = "linux")]
mod sending;
