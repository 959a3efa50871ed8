//! The store through its public face: real files, real kills.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod crash;
mod feeds;
mod files;
#[cfg(target_os = "linux")]
mod full;
mod kit;
mod lists;
mod log;
mod mail;
mod opening;
mod rows;
mod searching;
mod teamwork;
