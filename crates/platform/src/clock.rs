//! The one place that reads the wall clock.

use chrono::{DateTime, Utc};
use meantime_model::zone::Zone;

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
        // `TZ` first, as every other program on this computer has it.
        let own = std::env::var("TZ").ok().and_then(|tz| tz.trim_start_matches(':').parse::<Zone>().ok());
        let zone = own.map(|zone| zone.name().to_owned());
        zone.or_else(|| iana_time_zone::get_timezone().ok()).unwrap_or_else(|| "UTC".to_owned())
    }
}
