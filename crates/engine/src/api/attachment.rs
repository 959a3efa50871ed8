//! Files that go with messages, out and in.

use meantime_model::ItemId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A file that was copied into the app's own folder, to go with what is being
/// written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AttachedFile {
    /// SHA-256 of its bytes, as hexadecimal digits: what it is named by here.
    pub sha256: String,
    /// What it is called.
    pub name: String,
    /// What it is taken for, as in `image/png`.
    pub media_type: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// Files to go with what is being written. They are copied at once: what
/// happens to them afterwards does not matter.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Attach {
    /// The conversation; ends of ids are allowed as in [`ItemRef`](super::ItemRef). None for a
    /// new thread.
    pub item: Option<String>,
    /// Which.
    pub files: Vec<FileToAttach>,
}

/// A file on this computer.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct FileToAttach {
    /// Where it is: a whole path.
    pub path: String,
    /// What it is called, if not as in the path.
    #[serde(default)]
    pub name: Option<String>,
}

/// What was attached.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Attached {
    /// Those of this call, in their order.
    pub added: Vec<AttachedFile>,
    /// All that go with what is being written.
    pub files: Vec<AttachedFile>,
}

/// Takes a file off what is being written.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Detach {
    /// The conversation; none for a new thread.
    pub item: Option<ItemId>,
    /// Which: [`AttachedFile::sha256`].
    pub sha256: String,
}

/// A file of a message, to be saved.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SaveAttachment {
    /// The conversation; ends of ids are allowed as in [`ItemRef`](super::ItemRef).
    pub item: String,
    /// The message: [`MessageView::id`](super::MessageView::id).
    pub message: String,
    /// Which of its attachments; 0 is the first.
    pub index: u32,
    /// A folder, or a file that is not there yet, as a whole path; none: the
    /// folder for downloads.
    #[serde(default)]
    pub to: Option<String>,
}

/// A file was saved.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SavedFile {
    /// Where: the whole path.
    pub path: String,
    /// What it is called there.
    pub name: String,
    /// The folder's own name.
    pub folder: String,
}
