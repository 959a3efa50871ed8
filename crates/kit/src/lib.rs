//! Programs that a test starts, and that do not outlive it: real servers, real
//! apps. For tests of several crates; nothing of it is in the product.
//!
//! Knows no program: what is started with which arguments, and when it is
//! ready, says whoever starts it.
#![cfg(unix)]

mod port;
mod process;
mod user;

pub use port::{free_port, greets, listens};
pub use process::{Process, Signal, becomes, below, kill_9};
pub use user::{as_user, is_root};
