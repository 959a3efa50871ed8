//! Lets so many in a second, and tells everybody else when to come back, one
//! after the other: told the same moment, they would all be there again.
//!
//! Whoever is told has no claim to that moment: it is for whoever comes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may come at once after a rest, in seconds of the pace.
const AT_ONCE: u32 = 2;
/// Nobody is told to stay away for longer.
const LONGEST: Duration = Duration::from_secs(600);

/// Generic cell rate algorithm (as of ATM's traffic management), with a second
/// cell for those who are told to wait.
pub(super) struct Pace {
    each: Duration,
    turns: Mutex<Turns>,
}

struct Turns {
    /// Up to this moment all turns are taken.
    taken: Instant,
    /// Up to this moment somebody was told to come.
    told: Instant,
}

impl Pace {
    /// So many a second, and twice as many at once.
    pub(super) fn new(a_second: u32, now: Instant) -> Self {
        let each = Duration::from_secs(1) / a_second.max(1);
        Self { each, turns: Mutex::new(Turns { taken: now, told: now }) }
    }

    /// # Errors
    /// How long to stay away, if too many came before.
    pub(super) fn enter(&self, now: Instant) -> Result<(), Duration> {
        let ahead = Duration::from_secs(u64::from(AT_ONCE));
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = turns.taken.max(now) + self.each;
        if taken <= now + ahead {
            turns.taken = taken;
            return Ok(());
        }
        turns.told = (turns.told.max(now) + self.each).min(now + LONGEST);
        Err(turns.told - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn those_too_many_are_spread_and_room_comes_back_with_time() {
        let began = Instant::now();
        let pace = Pace::new(10, began);
        let waits: Vec<_> = (0..120).filter_map(|_| pace.enter(began).err()).collect();
        assert_eq!(waits.len(), 100, "twenty at once");
        assert!(waits.is_sorted() && waits[0] <= seconds(1), "{waits:?}");
        assert_eq!(waits[99], seconds(10), "a hundred take ten seconds");
        // Each second has its ten, however many ask.
        for second in 1..5 {
            let now = began + seconds(second);
            assert_eq!((0..50).filter(|_| pace.enter(now).is_ok()).count(), 10);
        }
        let rested = began + seconds(1000);
        assert_eq!((0..50).filter(|_| pace.enter(rested).is_ok()).count(), 20);
        assert!(pace.enter(rested).unwrap_err() <= seconds(4), "those who were told before are forgotten");
    }

    #[test]
    fn nobody_is_sent_away_for_good() {
        let began = Instant::now();
        let pace = Pace::new(1, began);
        let longest = (0..10_000).filter_map(|_| pace.enter(began).err()).max();
        assert_eq!(longest, Some(LONGEST));
        assert!(pace.enter(began + seconds(2)).is_ok());
    }
}
