//! Notifications of the operating system.
//!
//! When something is shown, and what it says, is the engine's business.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, feature = "testing"))]
mod memory;
#[cfg(any(target_os = "macos", windows))]
mod native;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
mod text;

#[cfg(target_os = "linux")]
pub use linux::DesktopNotifier;
#[cfg(any(test, feature = "testing"))]
pub use memory::MemoryNotifier;
#[cfg(any(target_os = "macos", windows))]
pub use native::DesktopNotifier;

use async_trait::async_trait;
use tokio::sync::broadcast;

/// The app as notification services know it: its desktop file on Linux, its
/// bundle on macOS, its AppUserModelID on Windows.
pub const APP_ID: &str = "app.meantime.desktop";
/// The app's name, as people see it.
pub const APP_NAME: &str = "Meantime";

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Ours: a second note of the same key replaces the first in place.
    pub key: String,
    /// One line.
    pub title: String,
    /// A few lines of plain text; the notifier escapes what its system would read as markup.
    pub body: String,
    /// Buttons, where the system has them: `(id, label)`. Clicking the note itself is `Open`.
    pub actions: Vec<(String, String)>,
    /// Stays until it is answered.
    pub urgent: bool,
}

/// What became of a note. Events may come late, twice or never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteEvent {
    /// The note itself was clicked.
    Open {
        /// Which.
        key: String,
    },
    /// A button was clicked.
    Act {
        /// Which note.
        key: String,
        /// Which button.
        action: String,
    },
    /// It is gone: dismissed, expired or withdrawn.
    Closed {
        /// Which.
        key: String,
    },
    /// The daemon came (back) after notes were lost with it or could not be
    /// shown: what is still due is to be shown again.
    DaemonRestarted,
}

/// The note could not be shown: one plain sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotifyError(pub String);

/// Shows notes. Calls may run side by side; none blocks for longer than a few
/// seconds; dropping a future may leave the note shown.
#[async_trait]
pub trait Notifier: Send + Sync + 'static {
    /// Shows a note, or replaces the one with the same key. `Ok` means that
    /// the system took it, not that somebody saw it; it tells where the note
    /// is, in the system's words, where another process can find it there.
    async fn show(&self, note: Note) -> Result<Option<String>, NotifyError>;

    /// An earlier process showed a note of this key, and `place` is what it
    /// was told. If it may still be there, it can be replaced, withdrawn and
    /// clicked as if this one had shown it.
    async fn adopt(&self, _key: &str, _place: &str) {}

    /// Takes a note back, if it is still there.
    async fn withdraw(&self, key: &str);

    /// What becomes of notes, from now on.
    fn events(&self) -> broadcast::Receiver<NoteEvent>;
}
