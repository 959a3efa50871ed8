//! How long to wait after a failure: exponential, with full jitter, so that
//! many clients don't come back in the same second.
//!
//! It does not sleep and does not know what failed; a server's own
//! `Retry-After` goes before it.

use std::time::Duration;

/// The wait after the first failure is at most this.
pub const FIRST: Duration = Duration::from_secs(5);
/// No wait is longer.
pub const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Counts failures in a row.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It worked: the next failure is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row so far.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// It failed: a random wait between nothing and the ceiling of this try,
    /// which doubles from [`FIRST`] up to [`LONGEST`], yet at least `at_least`
    /// (what the server asked for).
    pub fn fail(&mut self, at_least: Option<Duration>) -> Duration {
        let ceiling = ceiling(self.failures);
        self.failures = self.failures.saturating_add(1);
        let wait = ceiling.mul_f64(fraction());
        at_least.map_or(wait, |asked| asked + wait.min(FIRST))
    }
}

/// The longest wait after `failures` earlier failures.
fn ceiling(failures: u32) -> Duration {
    FIRST.saturating_mul(1u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX)).min(LONGEST)
}

/// Evenly random, 0 ≤ x < 1. Without randomness half of the ceiling is a fair wait.
fn fraction() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_ceiling_and_spread() {
        let mut backoff = Backoff::default();
        let mut seen = std::collections::HashSet::new();
        for failure in 0..40 {
            let wait = backoff.fail(None);
            assert!(wait <= ceiling(failure) && wait <= LONGEST);
            seen.insert(wait);
        }
        assert!(seen.len() > 30, "jitter spreads them");
        assert_eq!(ceiling(0), FIRST);
        assert_eq!(ceiling(40), LONGEST);
        backoff.reset();
        assert!(backoff.fail(None) <= FIRST);
    }

    #[test]
    fn the_servers_wish_goes_first() {
        let asked = Duration::from_secs(3600);
        assert!(Backoff::default().fail(Some(asked)) >= asked);
    }
}
