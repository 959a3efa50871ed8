//! Sync against a model of a server, and over real TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attachments;
mod converge;
mod device;
mod every;
mod https;
mod later;
mod poison;
mod put_back;
mod real;
mod rejoin;
mod server;
mod several;
mod single;
