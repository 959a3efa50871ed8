//! What is kept under which key.
//!
//! `TEAM/whole/ID/TAG` is a whole attachment, and
//! `TEAM/unfinished/DEVICE/ID/OFFSET` a piece of an upload: whatever is a
//! team's begins with its id. The ids are made up: a key tells whoever sees the
//! store's logs nothing about the bytes, as their hash would.

use meantime_model::{DeviceId, TeamId};
use meantime_protocol::Sha256;
use object_store::path::Path;
use uuid::Uuid;

const WHOLE: &str = "whole";
const UNFINISHED: &str = "unfinished";

/// The bytes of one whole attachment. Written once, never changed: what is
/// uploaded again gets another tag, so that nobody removes what somebody else
/// has just written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blob {
    /// Whose.
    pub team: TeamId,
    /// Which attachment of theirs.
    pub id: Uuid,
    /// Which upload of it.
    pub tag: Uuid,
}

/// What one device is sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Upload {
    /// Whose.
    pub team: TeamId,
    /// The device.
    pub device: DeviceId,
    /// Which attachment of theirs.
    pub id: Uuid,
    /// What its hash shall be.
    pub sha256: Sha256,
}

impl Blob {
    /// Where in the store it is.
    #[must_use]
    pub fn key(&self) -> String {
        self.path().to_string()
    }

    /// Back from its key; none for what is not of ours.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        let blob = Self::of_path(&Path::parse(key).ok()?)?;
        // Ids can be written in several ways; only one of them is a key.
        (blob.key() == key).then_some(blob)
    }

    pub(crate) fn path(&self) -> Path {
        let Self { team, id, tag } = self;
        whole_of(*team).join(id.to_string()).join(tag.to_string())
    }

    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        let parts: Vec<_> = path.parts().collect();
        let [team, whole, id, tag] = parts.as_slice() else { return None };
        (whole.as_ref() == WHOLE).then_some(())?;
        Some(Self { team: team.as_ref().parse().ok()?, id: id.as_ref().parse().ok()?, tag: tag.as_ref().parse().ok()? })
    }
}

impl Upload {
    pub(crate) fn folder(&self) -> Path {
        uploads_of(self.team, self.device).join(self.id.to_string())
    }

    pub(crate) fn piece(&self, offset: u64) -> Path {
        self.folder().join(offset.to_string())
    }
}

/// Which upload of which device a piece is of.
pub(crate) fn upload_of(piece: &Path) -> Option<(DeviceId, Uuid)> {
    let parts: Vec<_> = piece.parts().collect();
    let [_, unfinished, device, id, _] = parts.as_slice() else { return None };
    (unfinished.as_ref() == UNFINISHED).then_some(())?;
    Some((device.as_ref().parse().ok()?, id.as_ref().parse().ok()?))
}

/// Where a piece begins in its upload.
pub(crate) fn offset_of(piece: &Path) -> Option<u64> {
    piece.filename()?.parse().ok()
}

/// The upload that a piece belongs to.
pub(crate) fn folder_of(piece: &Path) -> Path {
    let parts: Vec<_> = piece.parts().collect();
    parts.split_last().map(|(_, folder)| folder.iter().cloned().collect()).unwrap_or_default()
}

pub(crate) fn all_of(team: TeamId) -> Path {
    Path::from(team.to_string())
}

pub(crate) fn whole_of(team: TeamId) -> Path {
    all_of(team).join(WHOLE)
}

pub(crate) fn unfinished_of(team: TeamId) -> Path {
    all_of(team).join(UNFINISHED)
}

pub(crate) fn uploads_of(team: TeamId, device: DeviceId) -> Path {
    unfinished_of(team).join(device.to_string())
}
