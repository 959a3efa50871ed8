//! How long to wait after failures in a row: longer each time up to a limit,
//! and spread, so that many clients don't come back in the same second.
//!
//! It draws no lots itself, does not sleep and does not know what failed.

use std::time::Duration;

/// Counts failures in a row.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// The wait after the first failure is at most `first`; what it doubles to
    /// is at most `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// It worked: the next failure is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed: how long to wait, anywhere between nothing and the most that
    /// this failure allows, as `draw` (0 to 1) says. Where the server asked for
    /// a wait, that long and up to half as much more.
    pub fn fail(&mut self, asked: Option<Duration>, draw: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(16)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let draw = draw.clamp(0.0, 1.0);
        match asked {
            Some(asked) => asked.saturating_add((asked / 2).min(self.longest).mul_f64(draw)),
            None => doubled.mul_f64(draw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_limit_and_are_spread() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for most in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(backoff.clone().fail(None, 0.5), Duration::from_secs(most) / 2);
            assert_eq!(backoff.fail(None, 1.0), Duration::from_secs(most));
        }
        for _ in 0..100 {
            assert_eq!(backoff.fail(None, 1.0), Duration::from_secs(60));
        }
        backoff.reset();
        assert_eq!(
            (backoff.clone().fail(None, 0.0), backoff.fail(None, 7.0)),
            (Duration::ZERO, Duration::from_secs(1))
        );
    }

    #[test]
    fn the_servers_wish_goes_first() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(backoff.fail(asked(10), 0.0), Duration::from_secs(10));
        assert_eq!(backoff.fail(asked(10), 1.0), Duration::from_secs(15));
        assert_eq!(backoff.fail(asked(3600), 1.0), Duration::from_secs(3660));
    }
}
