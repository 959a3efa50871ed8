//! How a command fails.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// No arguments, or nothing to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Nothing {}

/// Why a command failed: a code for programs, a plain sentence with the next
/// step for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// For programs.
    pub code: FailureCode,
    /// For people.
    pub message: String,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// The arguments don't fit.
    Invalid,
    /// There is no such item, account or person.
    NotFound,
    /// It can't be done in the present state (nothing to undo, no block runs).
    NotPossible,
    /// A password or token was refused.
    Auth,
    /// The password is right, and a code of the authenticator is wanted too.
    CodeNeeded,
    /// A server's certificate is not the one trusted.
    Certificate,
    /// A server can't be reached.
    Offline,
    /// A server refused.
    Refused,
    /// No keyring, and nothing chosen instead.
    NoSecrets,
    /// Our own fault: the disk, the database, a bug.
    Internal,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
