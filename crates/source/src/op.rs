//! What is written back.

use crate::Person;
use meantime_model::OpId;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One change on its way back to its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// The same through every retry; a reply's Message-ID is made of it.
    pub id: OpId,
    /// What to do.
    pub what: What,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// Mark messages read.
    Read {
        /// Which, by their upstream ids.
        messages: Vec<String>,
    },
    /// Mark messages unread.
    Unread {
        /// Which.
        messages: Vec<String>,
    },
    /// Archive messages.
    Done {
        /// Which.
        messages: Vec<String>,
    },
    /// Take messages out of the archive again.
    NotDone {
        /// Which.
        messages: Vec<String>,
    },
    /// Answer.
    Reply {
        /// The message that is answered.
        to_message: String,
        /// Those it goes to.
        to: Vec<Person>,
        /// Those it goes to as well.
        cc: Vec<Person>,
        /// The subject line.
        subject: String,
        /// Plain text.
        text: String,
        /// Files that go with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<FileToSend>,
    },
}

/// A file that goes with an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileToSend {
    /// What it is called.
    pub name: String,
    /// What it is taken for, as in `image/png`.
    pub media_type: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Where it lies on this computer.
    pub path: PathBuf,
}

/// What became of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActOutcome {
    /// Done.
    Applied,
    /// Was so already.
    AlreadyApplied,
    /// This system can't; the state stays ours alone.
    Unsupported,
}

/// How [`reply_id`]s end.
pub const REPLY_ID: &str = ".meantime";

/// What stands before the `@` of an answer's Message-ID: made of its op, so
/// that a copy found in the Sent mailbox is known for what it is.
#[must_use]
pub fn reply_id(op: OpId) -> String {
    format!("{op}{REPLY_ID}")
}

/// The op that a message was sent by, going by its Message-ID ([`reply_id`])
/// or by an upstream name that starts with it.
#[must_use]
pub fn sent_by(message_id: &str) -> Option<OpId> {
    message_id.split('@').next()?.strip_suffix(REPLY_ID)?.parse().ok()
}
