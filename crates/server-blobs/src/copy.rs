//! Copies of whole attachments in another store, and whether bytes are still
//! what they were: for backups, restores and checks.

use crate::disk::{make_folder, sync_folder};
use crate::{Blob, BlobError, Blobs};
use futures::TryStreamExt as _;
use meantime_protocol::Sha256;
use object_store::{Error, GetResult, ObjectStoreExt as _, WriteMultipart};
use sha2::Digest as _;
use std::fs;
use std::io;
use std::path::PathBuf;

/// What is not larger is written in one go.
const SMALL: u64 = 2 << 20;
/// Parts of a copy that are on their way at once.
const PARTS_AT_ONCE: usize = 2;

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It is there now.
    New,
    /// It was there already: bytes never change, so it is the same.
    Before,
    /// There is nothing to copy, or not all of it.
    Missing,
}

impl Blobs {
    /// Length and hash of an attachment's bytes, all of which are read for it;
    /// none if it is not there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn digest(&self, blob: &Blob) -> Result<Option<(u64, Sha256)>, BlobError> {
        let Some(got) = self.found(blob).await? else { return Ok(None) };
        let (mut hash, mut length) = (sha2::Sha256::new(), 0);
        let mut bytes = got.into_stream();
        while let Some(some) = bytes.try_next().await? {
            hash.update(&some);
            length += some.len() as u64;
        }
        Ok(Some((length, Sha256(hash.finalize().into()))))
    }

    /// Puts an attachment of so many bytes into another store under the same
    /// key. Safe while both are used: what is written once never changes, and
    /// is not there before it is whole. Two folders on one disk share the
    /// bytes; each may remove its own.
    ///
    /// # Errors
    /// When one of the stores fails.
    pub async fn copy_to(&self, to: &Self, blob: &Blob, length: u64) -> Result<Copied, BlobError> {
        if self.bytes(blob).await? != Some(length) {
            return Ok(Copied::Missing);
        }
        if to.bytes(blob).await? == Some(length) {
            return Ok(Copied::Before);
        }
        if let (Some(from), Some(into)) = (&self.folder, &to.folder)
            && linked(from.join(blob.key()), into.join(blob.key())).await
        {
            return Ok(Copied::New);
        }
        let Some(got) = self.found(blob).await? else { return Ok(Copied::Missing) };
        if length <= SMALL {
            to.store.put(&blob.path(), got.bytes().await?.into()).await?;
        } else {
            to.pour_whole(blob, got).await?;
        }
        Ok(Copied::New)
    }

    async fn found(&self, blob: &Blob) -> Result<Option<GetResult>, BlobError> {
        match self.store.get(&blob.path()).await {
            Ok(got) => Ok(Some(got)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn pour_whole(&self, blob: &Blob, got: GetResult) -> Result<(), BlobError> {
        let mut whole = WriteMultipart::new(self.store.put_multipart(&blob.path()).await?);
        let mut bytes = got.into_stream();
        let poured = async {
            while let Some(some) = bytes.try_next().await? {
                whole.wait_for_capacity(PARTS_AT_ONCE).await?;
                whole.put(some);
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = poured.await {
            // What is left of it is nobody's, and swept.
            let _ = whole.abort().await;
            return Err(error.into());
        }
        whole.finish().await?;
        Ok(())
    }
}

/// A second name for the same bytes; false where that can't be (another disk,
/// a file system without such names), so that they have to be copied.
async fn linked(from: PathBuf, to: PathBuf) -> bool {
    let link = move || -> io::Result<()> {
        let folder = to.parent().ok_or(io::ErrorKind::NotFound)?;
        make_folder(folder)?;
        fs::hard_link(from, &to)?;
        sync_folder(folder)
    };
    matches!(tokio::task::spawn_blocking(link).await, Ok(Ok(())))
}
