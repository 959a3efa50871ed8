//! How server processes on one storage tell each other that a feed moved.
//!
//! A poke carries no data and may be lost: whoever listens looks at the
//! counters from time to time anyway, more often while nothing carries pokes.
//! What carries them (a message broker, say) is not in here.

use async_trait::async_trait;
use meantime_model::TeamId;
use meantime_protocol::Scope;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A feed moved. All that goes from process to process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Whose feed.
    pub team: TeamId,
    /// Which.
    pub scope: Scope,
    /// Its newest seq.
    pub seq: u64,
}

/// What came from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// One of them moved a feed.
    Moved(Moved),
    /// Something may have been missed; looking at the counters finds out.
    Unsure,
}

/// Carries pokes between processes. Called from many tasks at once.
#[async_trait]
pub trait Pokes: Send + Sync + 'static {
    /// Tells the other processes. Doesn't wait; what can't be sent is lost.
    fn publish(&self, moved: Moved);

    /// What another process told. Never returns when none can. Safe to drop
    /// and call again; one caller at a time.
    async fn heard(&self) -> Heard;

    /// How often to look at the counters of feeds that somebody listens to,
    /// as things are now; `None`: no other process works on the storage.
    fn look_every(&self) -> Option<Duration>;
}

/// There is no other process.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

#[async_trait]
impl Pokes for Alone {
    fn publish(&self, _: Moved) {}

    async fn heard(&self) -> Heard {
        std::future::pending().await
    }

    fn look_every(&self) -> Option<Duration> {
        None
    }
}

/// There are other processes, and nothing carries pokes between them: each
/// looks at the counters this often.
#[derive(Clone, Copy, Debug)]
pub struct Polling(pub Duration);

impl Default for Polling {
    /// Every second.
    fn default() -> Self {
        Self(Duration::from_secs(1))
    }
}

#[async_trait]
impl Pokes for Polling {
    fn publish(&self, _: Moved) {}

    async fn heard(&self) -> Heard {
        std::future::pending().await
    }

    fn look_every(&self) -> Option<Duration> {
        Some(self.0)
    }
}
