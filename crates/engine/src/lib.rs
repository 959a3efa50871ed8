//! The app without a face: commands, events, schedulers. It owns the store,
//! sync, the sources and focus.
//!
//! It draws nothing and knows no operating system: windows are in
//! `src-tauri`, notifications and secrets come in through `platform`'s traits.

pub mod api;
pub mod socket;
