//! How long to wait: longer each time, and never all devices at once.

use meantime_model::backoff::Backoff;
use std::time::Duration;

/// A server asks for no longer wait than this.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// It failed: how long to wait; `asked` is what the server asked for.
pub(crate) fn fail(backoff: &mut Backoff, asked: Option<Duration>) -> Duration {
    backoff.fail(asked.map(|asked| asked.min(LONGEST_ASKED)), draw())
}

/// Between `low` and `high` times `base`.
pub(crate) fn jitter(base: Duration, low: f64, high: f64) -> Duration {
    base.mul_f64(low + (high - low) * draw())
}

fn draw() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}
