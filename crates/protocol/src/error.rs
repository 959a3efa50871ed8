//! What a refusal looks like.

use serde::{Deserialize, Serialize};

/// Why something was refused. Programs branch on this, never on the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The request is not of the protocol's form (400).
    BadRequest,
    /// No token, or one that is not known (401).
    Unauthorized,
    /// An invite that is unknown, used or expired; one answer for all three (403).
    InviteInvalid,
    /// Not there, or not for this person; one answer for both (404).
    NotFound,
    /// This person may not write that field of that kind.
    Forbidden,
    /// The record changed since `base_seq`.
    Conflict,
    /// A field is missing, of the wrong type or out of range.
    Invalid,
    /// Over a limit of the protocol (413).
    TooLarge,
    /// The cursor is of another epoch, from the future or older than the
    /// oldest tombstone kept: bootstrap again (410).
    CursorGone,
    /// A private feed that is not there, or no longer for this person; one
    /// answer for both (410). What is kept of it is thrown away.
    ScopeGone,
    /// No such login, wrong password or wrong code; one answer for all (403).
    SignInFailed,
    /// The password is right, and a code of the authenticator is wanted too (403).
    TotpNeeded,
    /// As many as there may be are there already (409).
    LimitReached,
    /// Too many requests or failed tries (429); `retry_after` says when.
    SlowDown,
    /// This protocol version is not spoken (426).
    VersionUnsupported,
    /// The server is too busy (503); `retry_after` says when.
    Busy,
    /// The server has no room left for attachments (507).
    StorageFull,
    /// The server's own fault (500).
    Internal,
    /// A code of a newer server.
    #[serde(other)]
    Unknown,
}

/// The body of every answer that is not 2xx, and a rejected op's reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// For programs.
    pub code: Code,
    /// One plain sentence for people.
    pub message: String,
    /// Seconds to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A refusal with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }
}
