//! The operating system behind small traits: clock, folders, notifications,
//! secrets, sleep and wake. Code for one system lives here and nowhere else.
//!
//! No rule about what is shown or kept is here; the engine decides that.

pub mod clock;
pub mod dirs;
pub mod local;
pub mod notify;
pub mod secrets;
pub mod wake;

pub use clock::{Clock, SystemClock};
pub use dirs::Dirs;
pub use notify::{Note, NoteEvent, Notifier};
pub use secrets::{Secrets, SecretsError};
