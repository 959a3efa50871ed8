//! How fast somebody may go: a bucket each that fills with time and empties
//! with use. Bounded: those that are full again are forgotten.

use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// One bucket for each of many.
#[derive(Debug)]
pub(crate) struct Pace<K> {
    at_once: f64,
    per_second: f64,
    remembered: usize,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: DateTime<Utc>,
}

impl<K: Eq + Hash> Pace<K> {
    pub(crate) fn new(at_once: u32, per_second: u32, remembered: usize) -> Self {
        let (at_once, per_second) = (f64::from(at_once), f64::from(per_second));
        Self { at_once, per_second, remembered, buckets: Mutex::default() }
    }

    /// So many in a day, all of them at once if wanted.
    pub(crate) fn a_day(many: u32, remembered: usize) -> Self {
        let at_once = f64::from(many);
        Self { at_once, per_second: at_once / 86_400.0, remembered, buckets: Mutex::default() }
    }

    /// Takes one, or says in how many seconds there is one.
    pub(crate) fn take(&self, who: K, now: DateTime<Utc>) -> Result<(), u32> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.remembered && !buckets.contains_key(&who) {
            buckets.retain(|_, bucket| self.filled(*bucket, now) < self.at_once);
            // All of them busy: better to forget than to grow.
            if buckets.len() >= self.remembered {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(who).or_insert(Bucket { left: self.at_once, at: now });
        let left = self.filled(*bucket, now);
        if left < 1.0 {
            // Between 1 and a few: the wait for one, rounded up.
            return Err(((1.0 - left) / self.per_second).ceil().clamp(1.0, 60.0) as u32);
        }
        *bucket = Bucket { left: left - 1.0, at: now };
        Ok(())
    }

    fn filled(&self, bucket: Bucket, now: DateTime<Utc>) -> f64 {
        let passed = (now - bucket.at).num_milliseconds().max(0) as f64 / 1000.0;
        (bucket.left + passed * self.per_second).min(self.at_once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn fills_with_time_and_is_each_ones_own() {
        let pace = Pace::new(3, 2, 10);
        let noon = DateTime::UNIX_EPOCH;
        for _ in 0..3 {
            assert_eq!(pace.take("a", noon), Ok(()));
        }
        assert_eq!(pace.take("a", noon), Err(1));
        assert_eq!(pace.take("b", noon), Ok(()));
        let later = noon + TimeDelta::milliseconds(500);
        assert_eq!(pace.take("a", later), Ok(()));
        assert_eq!(pace.take("a", later), Err(1));
        // A clock that was set back gives nothing, and takes nothing.
        assert_eq!(pace.take("a", noon - TimeDelta::hours(1)), Err(1));
    }

    #[test]
    fn stays_small() {
        let pace = Pace::new(2, 1, 10);
        for who in 0..1000 {
            let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(who / 7);
            assert_eq!(pace.take(who, now), Ok(()));
            assert!(pace.buckets.lock().unwrap().len() <= 10);
        }
    }
}
