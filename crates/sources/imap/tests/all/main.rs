//! The mailbox source against real servers, and its parser against hostile
//! bytes. Everything is started by the tests themselves.
// Clippy's exemption for tests covers test functions, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod conformance;
mod corpus;
mod mailbox;
mod sending;
