//! The feed source against a real HTTP server, and its parser against broken
//! documents.

mod conformance;
mod corpus;
mod http;
mod server;
