//! Are the attachments that are noted all there, and nothing else? For whoever
//! runs the server; changes nothing.

use super::{AT_ONCE, blob};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use meantime_model::TeamId;
use meantime_server_blobs::{Blob, Blobs};
use meantime_server_core::attachments::Listed;
use meantime_server_core::rules::Kept;
use meantime_server_core::{Core, Storage, TeamScope};

/// Attachments asked for at once.
const ASKED: usize = 16;

/// What is found of a team's attachments.
#[derive(Debug, Default)]
pub struct Found {
    /// How many are noted.
    pub noted: u64,
    /// Those that are noted, but not as they should be.
    pub wrong: Vec<Wrong>,
    /// Bytes that lie there and belong to nothing: how many pieces. Some may be
    /// on their way; the rest is swept in time.
    pub unknown: u64,
    /// How long they are together.
    pub unknown_bytes: u64,
}

/// An attachment that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    /// Where its bytes should be.
    pub key: String,
    /// What was noted.
    pub kept: Kept,
    /// In which way.
    pub how: How,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// There are no bytes.
    Missing,
    /// There are so many.
    Length(u64),
    /// They are others.
    Hash,
}

/// Looks at every attachment of a team; `deep` reads all bytes. The server may
/// be running. The list of what is wrong is as long as there is wrong.
///
/// # Errors
/// When the storage or the store fails.
pub async fn look(blobs: &Blobs, core: &Core<impl Storage>, team: TeamId, deep: bool) -> anyhow::Result<Found> {
    let scope = TeamScope::operator(team);
    let mut found = Found::default();
    let mut after = None;
    loop {
        let some = core.attachments(scope, after, AT_ONCE).await?;
        let Some(last) = some.last() else { break };
        after = Some(last.id);
        found.noted += some.len() as u64;
        let looks = some.into_iter().map(|Listed { kept, .. }| one(blobs, blob(team, &kept), kept, deep));
        let mut looks = stream::iter(looks).buffer_unordered(ASKED);
        while let Some(wrong) = looks.try_next().await? {
            let Some((blob, wrong)) = wrong else { continue };
            // It may have been forgotten since it was read.
            if core.are_attached(scope, &[(blob.id, blob.tag)]).await? == [true] {
                found.wrong.push(wrong);
            }
        }
    }
    let mut chunks = blobs.list(team).try_chunks(AT_ONCE);
    while let Some(stored) = chunks.try_next().await.map_err(|e| e.1)? {
        let tags: Vec<_> = stored.iter().map(|stored| (stored.blob.id, stored.blob.tag)).collect();
        let known = core.are_attached(scope, &tags).await?;
        for (stored, _) in stored.iter().zip(known).filter(|(_, known)| !known) {
            found.unknown += 1;
            found.unknown_bytes += stored.bytes;
        }
    }
    Ok(found)
}

async fn one(blobs: &Blobs, blob: Blob, kept: Kept, deep: bool) -> anyhow::Result<Option<(Blob, Wrong)>> {
    let how = match blobs.bytes(&blob).await? {
        None => How::Missing,
        Some(bytes) if bytes != kept.bytes => How::Length(bytes),
        Some(_) if !deep => return Ok(None),
        Some(_) => match blobs.digest(&blob).await? {
            Some((_, sha256)) if sha256 == kept.sha256 => return Ok(None),
            Some(_) => How::Hash,
            None => How::Missing,
        },
    };
    Ok(Some((blob, Wrong { key: blob.key(), kept, how })))
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Length(bytes) => write!(f, "has another length ({bytes} bytes)"),
            Self::Hash => f.write_str("is damaged: it has another hash"),
        }
    }
}
