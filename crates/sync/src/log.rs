//! This device's side.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_protocol::http::{BootstrapPage, Op, OpResult, PullPage};
use meantime_protocol::{Cursor, Problem, Scope, Sha256};
use std::path::PathBuf;

/// A feed this device follows, and where it stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Which.
    pub scope: Scope,
    /// Where pulling goes on; `None` before the first bootstrap page.
    pub cursor: Option<Cursor>,
    /// The next bootstrap page; `None` when the bootstrap is through (or has
    /// not begun: then `cursor` is `None` as well).
    pub page: Option<String>,
    /// Where it stood before it was begun anew, until the first page is in:
    /// by that it is found out later that the server was put back.
    pub was: Option<Cursor>,
    /// Begun anew because the server was put back from a backup, and not
    /// through yet.
    pub lost: bool,
}

/// What waits to be pushed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outgoing {
    /// In rising order of `n`; the same again until they are settled.
    pub ops: Vec<Op>,
    /// When more may go, if nothing else happens.
    pub next_at: Option<DateTime<Utc>>,
}

/// A file that a waiting message needs at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingFile {
    /// The message, in the log's own words.
    pub op: i64,
    /// Where it goes.
    pub scope: Scope,
    /// Of its bytes.
    pub sha256: Sha256,
    /// How many.
    pub bytes: u64,
    /// What it is called.
    pub name: String,
    /// Where they lie on this device.
    pub path: PathBuf,
}

/// The database failed: a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LogError(pub String);

/// What this device has stored.
///
/// Each call is atomic and durable once it returns; a call whose future is
/// dropped has happened in full or not at all. Calls are made one after the
/// other by one [`crate::Syncer`], except those about files, which come beside
/// them.
#[async_trait]
pub trait Log: Send + Sync {
    /// Every feed followed.
    async fn feeds(&self) -> Result<Vec<Feed>, LogError>;
    /// Follow a feed; harmless if it is followed.
    async fn follow(&self, scope: Scope) -> Result<(), LogError>;
    /// Not mine any more: purge it, keeping typed words as refusals.
    async fn forget(&self, scope: Scope) -> Result<(), LogError>;
    /// Rows and cursor in one transaction; a row applies only if it is newer.
    async fn apply_page(&self, scope: Scope, page: &PullPage) -> Result<(), LogError>;
    /// Rows, cursor (the first page's `start`) and next page in one transaction.
    async fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), LogError>;
    /// Begin a feed anew, keeping the outbox. `lost_epoch`: the server was put
    /// back from a backup and may have lost what it had taken.
    async fn begin_anew(&self, scope: Scope, lost_epoch: bool) -> Result<(), LogError>;
    /// The server was put back from a backup and does not know this circle, of
    /// which all is kept: if this person made it, it is to be made again. Once
    /// is enough; said when all else is read.
    async fn bring_back(&self, _scope: Scope) -> Result<(), LogError> {
        Ok(())
    }
    /// Something that may go was to appear to others at a moment that is over
    /// by this device's clock.
    async fn has_overdue(&self) -> Result<bool, LogError> {
        Ok(false)
    }
    /// It goes at once: the clock is right, this device was away.
    async fn send_overdue(&self) -> Result<(), LogError> {
        Ok(())
    }
    /// The next ops to push; their numbers are stored before this returns.
    async fn outgoing(&self) -> Result<Outgoing, LogError>;
    /// Outcomes of ops; those of unknown numbers are ignored.
    async fn settle(&self, results: &[OpResult]) -> Result<(), LogError>;
    /// The next file that has to be at the server before a message goes; only
    /// asked for once everything else that may go has gone.
    async fn next_file(&self) -> Result<Option<OutgoingFile>, LogError> {
        Ok(None)
    }
    /// It is there: the message may go, as far as this file is concerned.
    async fn file_arrived(&self, _file: &OutgoingFile) -> Result<(), LogError> {
        Ok(())
    }
    /// It is refused for good, and so is its message: visibly, with its text kept.
    async fn file_refused(&self, _file: &OutgoingFile, _problem: &Problem) -> Result<(), LogError> {
        Ok(())
    }
}
