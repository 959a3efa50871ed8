//! Uploads: pieces that are kept until the last one comes, and then one whole.
//!
//! There is no record of an upload but its pieces, each named by where it
//! begins. A piece that doesn't begin where the one before it ends is as if it
//! were not there; the hash of the whole decides at the end. So a crash at any
//! moment loses no more than the piece that was being written.

use crate::key::{folder_of, offset_of, unfinished_of, upload_of, uploads_of};
use crate::{Blob, BlobError, Blobs, Upload};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use meantime_model::{DeviceId, TeamId};
use meantime_protocol::Sha256;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, WriteMultipart};
use sha2::Digest as _;
use std::collections::HashMap;
use uuid::Uuid;

/// Largest piece, in bytes: what one upload takes of the memory.
pub const PIECE: usize = 2 << 20;
/// Most pieces of one upload. One that has more was made to have many; it
/// starts over.
const MOST_PIECES: usize = 4096;
/// Parts of a whole that are on their way to the store at once.
const PARTS_AT_ONCE: usize = 2;

/// How far an upload is.
#[derive(Debug, Default)]
pub struct Begun {
    /// Bytes that are there.
    pub offset: u64,
    pieces: Vec<Path>,
}

/// What became of the last piece.
#[derive(Debug, PartialEq, Eq)]
pub enum Finished {
    /// It is whole, and its hash is right.
    Whole(Blob),
    /// Its hash is another one; nothing of it was kept.
    OtherHash(Sha256),
}

impl Blobs {
    /// How far an upload is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begun(&self, upload: &Upload) -> Result<Begun, BlobError> {
        let mut found = Vec::new();
        let mut pieces = self.store.list(Some(&upload.folder()));
        while let Some(meta) = pieces.try_next().await? {
            if let Some(offset) = offset_of(&meta.location) {
                found.push((offset, meta.size, meta.location));
            }
            if found.len() > MOST_PIECES {
                drop(pieces);
                self.abandon(upload).await?;
                return Ok(Begun::default());
            }
        }
        found.sort_unstable_by_key(|(offset, ..)| *offset);
        let mut begun = Begun::default();
        for (offset, size, path) in found {
            if offset == begun.offset && size > 0 {
                begun.offset += size;
                begun.pieces.push(path);
            }
        }
        Ok(begun)
    }

    /// Keeps the next piece, at most [`PIECE`] bytes.
    ///
    /// # Errors
    /// When the store fails; then the upload is as far as before.
    pub async fn append(&self, upload: &Upload, begun: &mut Begun, piece: Bytes) -> Result<(), BlobError> {
        let path = upload.piece(begun.offset);
        let bytes = piece.len() as u64;
        self.store.put(&path, piece.into()).await?;
        begun.offset += bytes;
        begun.pieces.push(path);
        Ok(())
    }

    /// Makes a whole of the pieces and what comes last, if the hash is right,
    /// and forgets the pieces. It is not there before it is whole.
    ///
    /// # Errors
    /// When the store fails; the pieces are still there then.
    pub async fn finish(&self, upload: &Upload, begun: Begun, last: Bytes) -> Result<Finished, BlobError> {
        let Upload { team, id, sha256, .. } = *upload;
        let blob = Blob { team, id, tag: Uuid::now_v7() };
        let got = if begun.pieces.is_empty() {
            let got = Sha256(sha2::Sha256::digest(&last).into());
            if got == sha256 {
                self.store.put(&blob.path(), last.into()).await?;
            }
            got
        } else {
            let mut whole = WriteMultipart::new(self.store.put_multipart(&blob.path()).await?);
            match self.pour(&begun, last, &mut whole).await {
                Ok(got) if got == sha256 => {
                    whole.finish().await?;
                    got
                }
                poured => {
                    if let Err(error) = whole.abort().await {
                        tracing::warn!(%error, "what was half written was not removed");
                    }
                    poured?
                }
            }
        };
        if let Err(error) = self.abandon(upload).await {
            // They are swept later.
            tracing::warn!(%error, "the pieces of an upload were not removed");
        }
        Ok(if got == sha256 { Finished::Whole(blob) } else { Finished::OtherHash(got) })
    }

    /// Forgets an upload.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn abandon(&self, upload: &Upload) -> Result<(), BlobError> {
        self.forget_in(&upload.folder()).await
    }

    async fn forget_in(&self, folder: &Path) -> Result<(), BlobError> {
        let pieces: Vec<_> = self.store.list(Some(folder)).try_collect().await?;
        for piece in pieces {
            self.forget(&piece.location).await?;
        }
        Ok(())
    }

    /// The uploads that a team has begun and not finished, each with the bytes
    /// that are there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unfinished(&self, team: TeamId) -> Result<HashMap<(DeviceId, Uuid), u64>, BlobError> {
        let mut uploads = HashMap::new();
        let mut pieces = self.store.list(Some(&unfinished_of(team)));
        while let Some(meta) = pieces.try_next().await? {
            if let Some(upload) = upload_of(&meta.location) {
                *uploads.entry(upload).or_default() += meta.size;
            }
        }
        Ok(uploads)
    }

    /// Forgets the unfinished uploads of a device.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn abandon_all(&self, team: TeamId, device: DeviceId) -> Result<(), BlobError> {
        self.forget_in(&uploads_of(team, device)).await
    }

    /// Forgets the unfinished uploads of a team whose newest piece came before
    /// an instant; how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep_unfinished(&self, team: TeamId, before: DateTime<Utc>) -> Result<u64, BlobError> {
        let mut uploads: HashMap<Path, (DateTime<Utc>, Vec<Path>)> = HashMap::new();
        let mut pieces = self.store.list(Some(&unfinished_of(team)));
        while let Some(meta) = pieces.try_next().await? {
            let (newest, pieces) = uploads.entry(folder_of(&meta.location)).or_default();
            *newest = meta.last_modified.max(*newest);
            pieces.push(meta.location);
        }
        let mut swept = 0;
        for (_, pieces) in uploads.into_values().filter(|(newest, _)| *newest < before) {
            for piece in pieces {
                self.forget(&piece).await?;
            }
            swept += 1;
        }
        Ok(swept)
    }

    /// Writes the pieces and the last bytes into a whole; their hash.
    async fn pour(&self, begun: &Begun, last: Bytes, whole: &mut WriteMultipart) -> Result<Sha256, BlobError> {
        let mut hash = sha2::Sha256::new();
        for path in &begun.pieces {
            let piece = self.store.get(path).await?.bytes().await?;
            hash.update(&piece);
            whole.wait_for_capacity(PARTS_AT_ONCE).await?;
            whole.put(piece);
        }
        hash.update(&last);
        whole.put(last);
        Ok(Sha256(hash.finalize().into()))
    }
}
