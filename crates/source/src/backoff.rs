//! How long a source is left alone after a failure: [`Backoff`] over seconds
//! to a quarter of an hour, with full jitter.

use meantime_model::backoff::Backoff;
use std::time::Duration;

/// The wait after the first failure is at most this.
pub const FIRST: Duration = Duration::from_secs(5);
/// No wait is longer, unless the server asks for it.
pub const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Of an account that has not failed yet.
#[must_use]
pub fn new() -> Backoff {
    Backoff::new(FIRST, LONGEST)
}

/// It failed: how long to wait, at least as long as the server asked for.
pub fn fail(backoff: &mut Backoff, asked: Option<Duration>) -> Duration {
    backoff.fail(asked, draw())
}

/// Evenly random, 0 ≤ x < 1. Without randomness half of the ceiling is a fair wait.
fn draw() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_ceiling_and_spread() {
        let mut backoff = new();
        let waits: std::collections::HashSet<Duration> = (0..40).map(|_| fail(&mut backoff, None)).collect();
        assert!(waits.len() > 30, "jitter spreads them: {waits:?}");
        assert!(waits.iter().all(|wait| *wait <= LONGEST) && waits.iter().any(|wait| *wait > FIRST), "{waits:?}");
        assert!(fail(&mut new(), None) <= FIRST);
        let asked = Duration::from_secs(3600);
        assert!(fail(&mut new(), Some(asked)) >= asked);
    }
}
