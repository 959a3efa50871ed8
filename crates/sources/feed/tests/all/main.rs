//! The feed source against a real HTTP server, and its parser against broken
//! documents.
// Clippy's exemption for tests covers test functions, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod conformance;
mod corpus;
mod http;
mod server;
