//! A running [`crate::Syncer`] from outside: how it stands, how it is woken,
//! how patient it is.

use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How the connection stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Connecting, or reading for the first time.
    Connecting,
    /// Up to date.
    Live,
    /// Not reached; tried again by itself.
    Offline {
        /// Since when.
        since: DateTime<Utc>,
        /// Why, in plain words.
        message: String,
    },
    /// It waits for the person; tried again now and then all the same.
    Refused {
        /// What happened and what to do, in plain words.
        message: String,
        /// The server does not know this device (any more): only signing in
        /// or joining again helps.
        signed_out: bool,
    },
}

/// Waits, each drawn with jitter around these.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// After the first failure; doubles with each.
    pub first_retry: Duration,
    /// The longest wait after a failure.
    pub longest_retry: Duration,
    /// After the stream of a healthy connection ended (a server restarts):
    /// at most that long, so that not all come back at once.
    pub reconnect: Duration,
    /// Between looks at every feed, should a poke get lost.
    pub poll: Duration,
    /// Between tries while the server refuses, or is not the one trusted: what
    /// was wrong there may be put right there.
    pub refused: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(30),
            reconnect: Duration::from_secs(5),
            poll: Duration::from_secs(300),
            refused: Duration::from_secs(60),
        }
    }
}

/// From outside into a running [`Syncer`]. Clones talk to the same.
#[derive(Clone)]
pub struct Handle {
    pub(crate) nudge: Arc<Notify>,
    pub(crate) now: Arc<Notify>,
    pub(crate) state: watch::Receiver<State>,
}

impl Handle {
    /// Something was put into the outbox.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Try now: the network came back, the computer woke, the person asks.
    pub fn sync_now(&self) {
        self.now.notify_one();
    }

    /// How the connection stands; changes are notified.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}
