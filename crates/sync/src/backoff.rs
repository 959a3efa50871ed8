//! How long to wait: longer each time, and never all devices at once.

use std::time::Duration;

/// Waits that double up to a limit, each drawn from its upper half.
pub(crate) struct Backoff {
    first: Duration,
    limit: Duration,
    failures: u32,
}

impl Backoff {
    pub fn new(first: Duration, limit: Duration) -> Self {
        Self { first, limit, failures: 0 }
    }

    /// It worked: the next wait is short again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait; `asked` is what the server asked for.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(16)).min(self.limit);
        self.failures = self.failures.saturating_add(1);
        match asked {
            Some(asked) => jitter(asked.min(Duration::from_secs(3600)), 1.0, 1.5),
            None => jitter(doubled, 0.5, 1.0),
        }
    }
}

/// Between `low` and `high` times `base`.
pub(crate) fn jitter(base: Duration, low: f64, high: f64) -> Duration {
    let draw = f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX);
    base.mul_f64(low + (high - low) * draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_limit_and_obeys_the_server() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for full in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = backoff.next(None).as_secs_f64();
            assert!((f64::from(full) / 2.0..=f64::from(full)).contains(&wait), "{full}: {wait}");
        }
        let asked = backoff.next(Some(Duration::from_secs(100))).as_secs_f64();
        assert!((100.0..=150.0).contains(&asked));
        backoff.reset();
        assert!(backoff.next(None) <= Duration::from_secs(1));
    }
}
