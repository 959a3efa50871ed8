//! The app without a face: commands, events, schedulers. It owns the store,
//! sync, the sources and focus.
//!
//! It draws nothing and knows no operating system: windows are in
//! `src-tauri`, notifications and secrets come in through `platform`.

mod accounts;
pub mod adapters;
mod answer;
pub mod api;
mod attach;
mod compose;
mod conversation;
mod damage;
mod devices;
mod drafts;
mod dues;
mod engine;
mod files;
mod focus;
mod images;
mod import;
mod inbox;
mod intake;
mod join;
mod notices;
mod out;
mod people;
mod picture;
mod profile;
mod recipients;
mod removal;
mod render;
mod runner;
mod sample;
mod save;
mod schedule;
mod scheduled;
mod secrets;
pub mod socket;
mod state;
mod team;
mod team_log;
mod team_sync;
mod triage;

pub use adapters::{Adapters, Configured, MailArchive, Setup};
pub use engine::Engine;
