//! A clock that can stand in the past while the sample team's history is
//! written: so its records have true ages, made by the ordinary API.

use crate::clock::SystemClock;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_server_core::Clock;
use std::sync::atomic::{AtomicI64, Ordering};

/// The machine's clock, moved.
#[derive(Debug, Default)]
pub(super) struct PastClock {
    behind_ms: AtomicI64,
}

impl PastClock {
    /// From now on it is `at`, and time goes on from there.
    pub fn go_to(&self, at: DateTime<Utc>) {
        self.behind_ms.store((SystemClock.now() - at).num_milliseconds(), Ordering::SeqCst);
    }

    /// From now on it is now.
    pub fn arrive(&self) {
        self.behind_ms.store(0, Ordering::SeqCst);
    }
}

impl Clock for PastClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() - TimeDelta::milliseconds(self.behind_ms.load(Ordering::SeqCst))
    }
}
