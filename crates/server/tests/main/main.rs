//! The server over real TLS: in this process, and as the binary.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod binary;
mod calls;
mod demo;
mod live;
mod robustness;
mod tls;
mod world;
