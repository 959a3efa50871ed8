//! How a source fails.

use std::time::Duration;

/// What a source call gives.
pub type SourceResult<T> = Result<T, SourceError>;

/// Why a source call failed. The sentence is for people: what happened, and
/// the next step; it never carries a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Signing in was refused: ask the person once, and stop until then.
    #[error("{0}")]
    Auth(String),
    /// The server's certificate is not the one trusted: stop, never "accept anyway".
    #[error("{0}")]
    Certificate(String),
    /// Too many requests; none before `after`.
    #[error("{message}")]
    RateLimited {
        /// How long to wait.
        after: Duration,
        /// For people.
        message: String,
    },
    /// No connection, a time-out, a server's bad moment: back off and try again.
    #[error("{0}")]
    Transient(String),
    /// It may pass, but hardly soon; not before `after`.
    #[error("{message}")]
    Later {
        /// How long to wait.
        after: Duration,
        /// For people.
        message: String,
    },
    /// It won't work until somebody changes something.
    #[error("{0}")]
    Permanent(String),
    /// What was entered can't be right, whoever would be asked.
    #[error("{0}")]
    Invalid(String),
    /// The cursor means nothing to the server any more: start again, alert nobody.
    #[error("the server no longer knows where we were; reading again from the start")]
    CursorInvalid,
    /// The server answered what its protocol does not allow.
    #[error("{0}")]
    Protocol(String),
}

impl SourceError {
    /// A word for programs (`auth`, `certificate`, …).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Auth(_) => "auth",
            Self::Certificate(_) => "certificate",
            Self::RateLimited { .. } => "rate_limited",
            Self::Transient(_) => "transient",
            Self::Later { .. } => "later",
            Self::Permanent(_) => "permanent",
            Self::Invalid(_) => "invalid",
            Self::CursorInvalid => "cursor_invalid",
            Self::Protocol(_) => "protocol",
        }
    }

    /// Trying again by itself may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Later { .. } | Self::Transient(_) => true,
            Self::CursorInvalid | Self::Protocol(_) => true,
            Self::Auth(_) | Self::Certificate(_) | Self::Permanent(_) | Self::Invalid(_) => false,
        }
    }

    /// Not to be tried again before, where that is known.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { after, .. } | Self::Later { after, .. } => Some(*after),
            _ => None,
        }
    }
}
