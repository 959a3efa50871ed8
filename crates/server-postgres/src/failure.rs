//! What a failure of the database means to who asked.

use meantime_server_core::StorageError;
use std::error::Error as _;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// What `meantime.in_life` raises.
const OTHER_LIFE: &str = "MT001";

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Two transactions were in each other's way, and this one was undone.
    Conflict,
    /// A row with that key is there already.
    Duplicate,
    /// The connection is gone, or the database ends. What was under way may
    /// have been carried out. Or the database was put back from a backup, which
    /// who connects anew finds out.
    Lost,
    /// The database is overloaded or starts up.
    Busy,
    /// It refuses, or says something that makes no sense.
    Refused,
}

impl Failure {
    pub(crate) fn of(error: &Error) -> Self {
        let Some(code) = error.code() else {
            let io = error.source().is_some_and(|cause| cause.is::<std::io::Error>());
            return if io || error.is_closed() { Self::Lost } else { Self::Refused };
        };
        if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
            Self::Conflict
        } else if *code == SqlState::UNIQUE_VIOLATION {
            Self::Duplicate
        } else if [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            // It was the primary once; the next connection finds the new one.
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ]
        .contains(code)
            || code.code() == OTHER_LIFE
        {
            Self::Lost
        } else if [
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::OUT_OF_MEMORY,
            SqlState::QUERY_CANCELED,
            SqlState::TOO_MANY_CONNECTIONS,
        ]
        .contains(code)
        {
            Self::Busy
        } else {
            Self::Refused
        }
    }
}

/// What to tell who asked, when nothing was carried out.
pub(crate) fn undone(error: &Error) -> StorageError {
    match Failure::of(error) {
        Failure::Conflict | Failure::Lost | Failure::Busy => StorageError::Busy,
        Failure::Duplicate | Failure::Refused => StorageError::Failed(words(error)),
    }
}

/// What to tell who asked, when it may have been carried out.
pub(crate) fn unsure(error: &Error) -> StorageError {
    // What the database itself says it refused, it did not do.
    if error.as_db_error().is_none() && Failure::of(error) == Failure::Lost {
        return StorageError::Unsure(words(error));
    }
    undone(error)
}

/// The reason, without the values that PostgreSQL's details repeat.
pub(crate) fn words(error: &Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}
