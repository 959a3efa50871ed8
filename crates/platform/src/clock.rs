//! The one place that reads the wall clock.

use chrono::{DateTime, Utc};

/// Tells the time. Tests pass their own.
pub trait Clock: Send + Sync + 'static {
    /// Now, by the wall clock: it may jump either way.
    fn now(&self) -> DateTime<Utc>;
    /// This computer's zone, by its IANA name; `UTC` if it can't be told.
    fn zone(&self) -> String;
}

/// The system's clock and zone.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        #[allow(clippy::disallowed_methods)] // the one place
        Utc::now()
    }

    fn zone(&self) -> String {
        iana_time_zone::get_timezone().unwrap_or_else(|_| "UTC".to_owned())
    }
}
