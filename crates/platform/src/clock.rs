//! The one place that reads the wall clock, and the clock that nobody sets.

use chrono::{DateTime, Utc};
use meantime_model::zone::Zone;
use std::time::Duration;

/// Tells the time. Tests pass their own.
pub trait Clock: Send + Sync + 'static {
    /// Now, by the wall clock: it may jump either way.
    fn now(&self) -> DateTime<Utc>;
    /// Time since some moment that stays the same while this process runs, by
    /// a clock that nobody sets and that goes on while the computer sleeps.
    fn steady(&self) -> Duration;
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

    fn steady(&self) -> Duration {
        steady()
    }

    fn zone(&self) -> String {
        // `TZ` first, as every other program on this computer has it.
        let own = std::env::var("TZ").ok().and_then(|tz| tz.trim_start_matches(':').parse::<Zone>().ok());
        let zone = own.map(|zone| zone.name().to_owned());
        zone.or_else(|| iana_time_zone::get_timezone().ok()).unwrap_or_else(|| "UTC".to_owned())
    }
}

/// `Instant` stands still during sleep here. Apple's monotonic clock goes on.
#[cfg(unix)]
fn steady() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    // Neither is ever before the start of the computer.
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// `Instant` is the performance counter here: it goes on during sleep.
#[cfg(not(unix))]
fn steady() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steady_clock_goes_on() {
        let began = SystemClock.steady();
        let pause = Duration::from_millis(20);
        std::thread::sleep(pause);
        let passed = SystemClock.steady() - began;
        assert!((pause..Duration::from_secs(60)).contains(&passed), "{passed:?}");
    }

    /// What Linux says of how long it has been up counts sleep.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_steady_clock_counts_sleep() {
        let before = SystemClock.steady().as_secs_f64();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let after = SystemClock.steady().as_secs_f64();
        assert!(before - 0.02 <= uptime && uptime <= after + 0.02, "{before} {uptime} {after}");
    }
}
