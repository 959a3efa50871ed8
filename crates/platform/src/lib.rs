//! The operating system behind small traits: clock, folders, notifications,
//! secrets, sleep and wake. Code for one system lives here and nowhere else.
//!
//! No rule about what is shown or kept is here; the engine decides that.

pub mod clock;
pub mod dirs;
pub mod downloads;
#[cfg(all(target_os = "linux", any(test, feature = "kit")))]
pub mod kit;
pub mod local;
pub mod lock;
pub mod notify;
pub mod quit;
pub mod secrets;
pub mod wake;

pub use clock::{Clock, SystemClock};
pub use dirs::{Dirs, DirsError};
pub use lock::Lock;
pub use notify::{DesktopNotifier, Note, NoteEvent, Notifier, NotifyError};
pub use secrets::{Secrets, SecretsError};
pub use wake::Wakes;
