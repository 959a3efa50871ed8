//! What is kept under which key.
//!
//! `TEAM/whole/SCOPE/SHA256/TAG` is a whole attachment, and
//! `TEAM/unfinished/DEVICE/SCOPE/SHA256/OFFSET` a piece of an upload: whatever
//! is a team's begins with its id.

use meantime_model::{DeviceId, TeamId};
use meantime_protocol::{Scope, Sha256};
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
    /// The feed it belongs to.
    pub scope: Scope,
    /// Its hash, which was checked.
    pub sha256: Sha256,
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
    /// The feed it is for.
    pub scope: Scope,
    /// What its hash shall be.
    pub sha256: Sha256,
}

impl Blob {
    pub(crate) fn path(&self) -> Path {
        let Self { team, scope, sha256, tag } = self;
        Path::from_iter([&*team.to_string(), WHOLE, &of_scope(*scope), &sha256.to_string(), &tag.to_string()])
    }

    /// Back from its key; none for what is not of ours.
    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        let parts: Vec<_> = path.parts().collect();
        let [team, whole, scope, sha256, tag] = parts.as_slice() else { return None };
        (whole.as_ref() == WHOLE).then_some(())?;
        Some(Self {
            team: team.as_ref().parse().ok()?,
            scope: scope.as_ref().replacen('-', ":", 1).parse().ok()?,
            sha256: sha256.as_ref().parse().ok()?,
            tag: tag.as_ref().parse().ok()?,
        })
    }
}

impl Upload {
    pub(crate) fn folder(&self) -> Path {
        let Self { team, device, scope, sha256 } = self;
        uploads_of(*team, *device).join(of_scope(*scope)).join(sha256.to_string())
    }

    /// Fixed width, so that the pieces are listed in their order.
    pub(crate) fn piece(&self, offset: u64) -> Path {
        self.folder().join(format!("{offset:020}"))
    }
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

/// As a scope is written, without the colon, which no Windows folder may have.
fn of_scope(scope: Scope) -> String {
    scope.to_string().replacen(':', "-", 1)
}
