//! How the server, or the way to it, fails.

use meantime_protocol::{Code, Problem};
use std::time::Duration;

/// What a call of the server gives.
pub type RemoteResult<T> = Result<T, RemoteError>;

/// Why a call failed. Sentences are for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Not reached, or the connection broke: everything waits here.
    #[error("{0}")]
    Offline(String),
    /// The server presents another certificate than the one trusted.
    #[error("{0}")]
    Certificate(String),
    /// The device's token is not accepted.
    #[error("the team server does not know this device any more: ask for a new invite and join again")]
    Unauthorized,
    /// The cursor or the feed is not there any more: begin it anew, or forget it.
    #[error("the server's history was cut or put back; reading it again")]
    Gone,
    /// There is no such feed for this person.
    #[error("this is not there any more")]
    NotFound,
    /// The server does not speak this version of the protocol.
    #[error("the team server needs a newer Meantime; update it, until then everything is kept here")]
    Version,
    /// Too busy: not before that.
    #[error("the team server is busy; trying again by itself")]
    Busy(Duration),
    /// Refused for good.
    #[error("{0}")]
    Refused(Problem),
    /// It answered what the protocol does not allow.
    #[error("the team server answered something unexpected: {0}")]
    Protocol(String),
}

impl RemoteError {
    /// An answer that is not 2xx, by its body.
    pub(crate) fn of(problem: Problem) -> Self {
        match problem.code {
            Code::Unauthorized => Self::Unauthorized,
            Code::CursorGone => Self::Gone,
            Code::NotFound => Self::NotFound,
            Code::VersionUnsupported => Self::Version,
            Code::Busy => Self::Busy(Duration::from_secs(problem.retry_after.unwrap_or(5).clamp(1, 3600).into())),
            Code::Internal => Self::Offline("the team server has a problem; trying again by itself".to_owned()),
            _ => Self::Refused(problem),
        }
    }

    /// Trying again by itself can't help: the person has to do something.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::Unauthorized | Self::Version)
    }
}
