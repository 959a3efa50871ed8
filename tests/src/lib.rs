//! What whole-system tests, the tour and the benchmarks share: real programs
//! in a world of their own (folders, display, session bus, servers), and ways
//! to look at them from outside.
//!
//! It uses nothing of the app but its public surfaces: the command line with
//! `--json`, the window through WebDriver, D-Bus, IMAP and the team server's
//! protocol; only devices without an engine ([`stored`]) are put together of
//! the app's parts. What a test asserts is in `tests/tests`, not here.

pub mod app;
pub mod bench;
pub mod cli;
pub mod day;
pub mod desk;
pub mod device;
pub mod dice;
pub mod feed;
pub mod person;
pub mod post;
pub mod process;
pub mod programs;
pub mod server;
pub mod stored;
pub mod wait;
pub mod webdriver;
pub mod world;

pub use app::App;
pub use cli::Cli;
pub use desk::Desk;
pub use feed::FeedServer;
pub use person::Person;
pub use process::Process;
pub use server::Server;
pub use wait::{Patience, wait_for};
pub use world::World;
