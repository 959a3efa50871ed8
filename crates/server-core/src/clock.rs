//! Where the server's time comes from. Passed in, so that a test can shift it.

use chrono::{DateTime, SubsecRound as _, Utc};

/// The wall clock. Called from many tasks at once.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> DateTime<Utc>;
}

/// An instant as the server keeps it: whole milliseconds, so that every
/// backend gives back exactly what it was given.
#[must_use]
pub fn whole_millis(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(3)
}
