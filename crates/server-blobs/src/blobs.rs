//! Whole attachments: read, counted, removed.

use crate::key::{all_of, whole_of};
use crate::{Blob, BlobError};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use meantime_model::TeamId;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes as they come.
pub type Bytestream = BoxStream<'static, Result<Bytes, BlobError>>;

/// An attachment that lies in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Which.
    pub blob: Blob,
    /// How many bytes.
    pub bytes: u64,
    /// When it was written, by the store's clock.
    pub at: DateTime<Utc>,
}

/// The store. Cloning is cheap and gives the same one.
#[derive(Clone, Debug)]
pub struct Blobs {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Where it is a folder.
    pub(crate) folder: Option<PathBuf>,
}

impl Blobs {
    pub(crate) fn over(store: Arc<dyn ObjectStore>, folder: Option<PathBuf>) -> Self {
        Self { store, folder }
    }

    /// Whether the store can be asked.
    ///
    /// # Errors
    /// When it can't: not reached, no such bucket, or a key that is not known.
    pub async fn answers(&self) -> Result<(), BlobError> {
        let nobody = all_of(TeamId(uuid::Uuid::nil()));
        Ok(self.store.list(Some(&nobody)).try_next().await.map(drop)?)
    }

    /// How many bytes an attachment has; none if it is not there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn bytes(&self, blob: &Blob) -> Result<Option<u64>, BlobError> {
        match self.store.head(&blob.path()).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a part of an attachment; none if it is not there.
    ///
    /// # Errors
    /// When the store fails, or the part is not within it.
    pub async fn read(&self, blob: &Blob, part: Range<u64>) -> Result<Option<Bytestream>, BlobError> {
        // No store reads nothing of something.
        let options = match part.is_empty() {
            true => GetOptions::default(),
            false => GetOptions { range: Some(GetRange::Bounded(part.clone())), ..GetOptions::default() },
        };
        match self.store.get_opts(&blob.path(), options).await {
            Ok(_) if part.is_empty() => Ok(Some(futures::stream::empty().boxed())),
            Ok(got) => Ok(Some(got.into_stream().map_err(BlobError::from).boxed())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an attachment; one that is not there is as good.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove(&self, blob: &Blob) -> Result<(), BlobError> {
        self.forget(&blob.path()).await
    }

    /// Every whole attachment of a team that lies in the store, also those that
    /// nobody knows of.
    pub fn list(&self, team: TeamId) -> BoxStream<'_, Result<Stored, BlobError>> {
        self.list_below(Some(&whole_of(team)))
    }

    /// Every whole attachment of any team that lies in the store.
    pub fn list_all(&self) -> BoxStream<'_, Result<Stored, BlobError>> {
        self.list_below(None)
    }

    /// Removes everything of a team, unfinished uploads too; how many objects.
    ///
    /// # Errors
    /// When the store fails; then some may be left.
    pub async fn remove_team(&self, team: TeamId) -> Result<u64, BlobError> {
        let mut removed = 0;
        let mut all = self.store.list(Some(&all_of(team)));
        while let Some(meta) = all.try_next().await? {
            self.forget(&meta.location).await?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Removes what a process that was killed left half written, if that is
    /// older than `before`; how many files. Nobody can read them. In S3 the
    /// bucket's own rule for unfinished multipart uploads does that.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub async fn sweep_half_written(&self, before: DateTime<Utc>) -> Result<u64, BlobError> {
        let Some(folder) = self.folder.clone() else { return Ok(0) };
        let swept = tokio::task::spawn_blocking(move || half_written(&folder, before));
        let failed = |e: &dyn std::fmt::Display| BlobError::Failed(e.to_string());
        swept.await.map_err(|e| failed(&e))?.map_err(|e| failed(&e))
    }

    fn list_below(&self, folder: Option<&Path>) -> BoxStream<'_, Result<Stored, BlobError>> {
        let of_ours = |meta: ObjectMeta| {
            let stored = |blob| Stored { blob, bytes: meta.size, at: meta.last_modified };
            std::future::ready(Ok(Blob::of_path(&meta.location).map(stored)))
        };
        self.store.list(folder).map_err(BlobError::from).try_filter_map(of_ours).boxed()
    }

    pub(crate) async fn forget(&self, path: &Path) -> Result<(), BlobError> {
        match self.store.delete(path).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// `object_store` writes beside the final name, with `#` and a number behind
/// it, and leaves such files out of its lists.
fn half_written(folder: &std::path::Path, before: DateTime<Utc>) -> std::io::Result<u64> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            removed += half_written(&entry.path(), before)?;
            continue;
        }
        let name = entry.file_name();
        let numbered = name.to_str().and_then(|name| name.rsplit_once('#'));
        let half = numbered.is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if half && DateTime::<Utc>::from(entry.metadata()?.modified()?) < before {
            std::fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}
