//! What the engine is given from outside. It knows no mail server, no feed
//! and no operating system; `meantime-app` puts the real ones in.

use crate::api::{MailFormat, NewAccount, SourceKind};
use async_trait::async_trait;
use meantime_platform::secrets::Safe;
use meantime_platform::{Clock, Notifier, Wakes};
use meantime_source::{Change, Secret, Source, SourceError};
use meantime_store::Store;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything the engine needs and does not make itself.
pub struct Setup {
    /// The database, opened.
    pub store: Store,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Shows notifications.
    pub notifier: Arc<dyn Notifier>,
    /// Keeps secrets.
    pub safe: Arc<Safe>,
    /// Opens accounts.
    pub adapters: Arc<dyn Adapters>,
    /// Tells when the computer woke up.
    pub wakes: Wakes,
    /// Folder of the sample team's server.
    pub sample_dir: PathBuf,
    /// Folder of the app's own copies of files on their way.
    pub files_dir: PathBuf,
    /// Folder that attachments are saved to; none: the person says where.
    pub downloads: Option<PathBuf>,
    /// Whether accounts are read and the team is followed; a single command
    /// from the shell does without.
    pub background: bool,
}

/// Opens accounts and makes them from what a person entered.
#[async_trait]
pub trait Adapters: Send + Sync + 'static {
    /// A source for a configured account. `secret` is its password, where it has one.
    fn open(&self, kind: SourceKind, config: &Value, secret: Option<Secret>) -> Result<Arc<dyn Source>, SourceError>;

    /// Turns what the person entered into a configuration, without storing
    /// anything; may ask the network (which feed does this page name?).
    async fn configure(&self, new: NewAccount) -> Result<Configured, SourceError>;

    /// The bytes of an image somewhere on the web, `most` of them at most:
    /// only what everybody may ask for, and without telling more than that it
    /// is asked for.
    async fn image(&self, address: &str, most: usize) -> Result<Vec<u8>, SourceError>;

    /// The messages of a mail archive on disk, one by one: `Err` carries why
    /// the archive can't be read on.
    fn read_mail(&self, path: &Path, format: MailFormat) -> Result<MailArchive, SourceError>;
}

/// The messages of a mail archive.
pub type MailArchive = Box<dyn Iterator<Item = Result<Change, SourceError>> + Send>;

/// An account that could be added.
pub struct Configured {
    /// What kind of place it is.
    pub kind: SourceKind,
    /// What the database keeps: no secret in it.
    pub config: Value,
    /// What the keyring keeps.
    pub secret: Option<Secret>,
}
