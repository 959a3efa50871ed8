//! The `Source` trait: one outside system, read into changes and written back.
//!
//! A source knows its system and nothing of the store, the inbox's rules or
//! the clock on the wall. It keeps no state of its own between calls but open
//! connections: what it must remember is the [`Cursor`] it gave out.

pub mod backoff;
pub mod change;
pub mod error;
pub mod html;
pub mod inspect;
#[cfg(feature = "kit")]
pub mod kit;
pub mod op;
pub mod secret;
pub mod text;

pub use change::{Attachment, Change, Flags, Incoming, Item, Message, Page, Person};
pub use error::{SourceError, SourceResult};
pub use op::{ActOutcome, FileToSend, Op, What};
pub use secret::Secret;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The time of day, passed in: a source never reads a clock by itself.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How far an account has been read: the source's own words, opaque to
/// everybody else, stored in the same transaction as the changes before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub serde_json::Value);

/// What one pull may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Changes wanted at most; a page may end earlier.
    pub changes: usize,
    /// Bytes to download at most, about.
    pub bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { changes: 100, bytes: 8 << 20 }
    }
}

/// What a source can do. Declared capabilities are true, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// [`Source::live`] wakes the runner; else it polls.
    pub live: bool,
    /// [`Op::Reply`].
    pub reply: bool,
    /// [`Op::Read`] and [`Op::Unread`].
    pub read: bool,
    /// [`Op::Done`] and [`Op::NotDone`].
    pub done: bool,
}

/// What a successful [`Source::check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    /// As it is shown in the list of accounts, say `ana@example.org`.
    pub name: String,
    /// What was found, in one plain sentence.
    pub summary: String,
}

/// One account at one outside system.
///
/// Calls of one source are made one after the other, except `live`, which
/// runs beside them. Every future may be dropped at any await: nothing that
/// was not returned has happened, as far as the store knows.
#[async_trait]
pub trait Source: Send + Sync {
    /// What this source can do.
    fn caps(&self) -> Caps;

    /// The stable name of the account, the same on each of the person's
    /// devices, say `imap:ana@mail.example.org`; item ids are derived from it.
    fn identity(&self) -> String;

    /// Sign in and look around, changing nothing.
    async fn check(&self) -> SourceResult<AccountInfo>;

    /// What changed since `cursor`, from the newest on the first time.
    ///
    /// The first pull (`cursor` is `None`) and those that continue it are
    /// *backfill*: their changes say so and never alert. The same cursor may
    /// be pulled again: items are upserts. One item that can't be read becomes
    /// an item that says so; it never fails the page.
    async fn pull(&self, cursor: Option<&Cursor>, budget: Budget) -> SourceResult<Page>;

    /// Returns when the system says that there is something new, or an error
    /// when it can't listen any more. Only called where `caps().live`.
    async fn live(&self, cursor: &Cursor) -> SourceResult<()>;

    /// Write one change back. Repeating an op is harmless: where an answer
    /// was lost, the source looks before it does it again.
    async fn act(&self, op: &Op) -> SourceResult<ActOutcome>;

    /// The bytes of what hangs on a message: the one at this place of its
    /// list, as it was listed. `None` where the message or the file is not
    /// there any more; an error where this source never has any.
    async fn attachment(&self, _message: &str, _place: usize, listed: &Attachment) -> SourceResult<Option<Vec<u8>>> {
        Err(SourceError::Permanent(format!("{} can't be fetched from here: open it at its source", listed.name)))
    }
}

/// When to ask again, if nothing else wakes the runner.
pub const DEFAULT_POLL: Duration = Duration::from_secs(300);
