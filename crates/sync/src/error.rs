//! How a call to the server fails.

use meantime_protocol::{Code, Problem};
use std::time::Duration;

/// How a call to the server fails. Texts are plain sentences for people;
/// programs branch on the variant.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// Not reached, or no whole answer: it may have been carried out.
    #[error("{0}")]
    Offline(String),
    /// The token is not (any more) valid: the device was ended, or the person
    /// is not in the team any more.
    #[error(
        "This device was signed out of the team. Sign in again, or ask for a new link. \
         What you wrote is kept here and goes out then."
    )]
    Unauthorized,
    /// The server is not the one trusted.
    #[error("{0}")]
    Certificate(String),
    /// The cursor can't be gone on from: bootstrap again.
    #[error("the server asks for the feed to be read anew")]
    Gone,
    /// This protocol version is not spoken.
    #[error("{0}")]
    Version(String),
    /// Too busy; try again then.
    #[error("the server is busy")]
    Busy {
        /// When the server said so.
        retry_after: Option<Duration>,
    },
    /// The request was refused.
    #[error("{0}")]
    Refused(Problem),
    /// The answer is not of the protocol's form, or over a limit.
    #[error("the server answered in a way this version does not understand: {0}")]
    Protocol(String),
}

impl RemoteError {
    /// Nothing changes by itself: it waits for the person.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Unauthorized | Self::Certificate(_) | Self::Version(_) => true,
            Self::Refused(problem) => problem.code == Code::Forbidden,
            _ => false,
        }
    }

    /// From an answer's status and its problem, if it carried one.
    pub(crate) fn from_answer(status: u16, problem: Option<Problem>, retry_after: Option<u32>) -> Self {
        let retry_after = problem.as_ref().and_then(|p| p.retry_after).or(retry_after);
        let retry_after = retry_after.map(|seconds| Duration::from_secs(u64::from(seconds)));
        match (status, problem) {
            (401, _) => Self::Unauthorized,
            (410, _) => Self::Gone,
            (426, problem) => Self::Version(
                problem.map_or_else(|| "the server speaks another version; update Meantime".into(), |p| p.message),
            ),
            (429 | 503, _) => Self::Busy { retry_after },
            // No room for a file: that does not pass by itself.
            (507, Some(problem)) => Self::Refused(problem),
            (500..=599, _) => Self::Offline(format!("the server has a fault of its own (HTTP {status})")),
            (_, Some(problem)) => Self::Refused(problem),
            (_, None) => Self::Protocol(format!("HTTP {status} without a reason; is this a Meantime server?")),
        }
    }
}
