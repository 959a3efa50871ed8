//! The one scheduler: everything with a time of its own is a row; this sleeps
//! until the next of them and does what is due.

use crate::api::{Failure, Tag};
use crate::engine::{Engine, blocking};
use chrono::{DateTime, Utc};
use meantime_platform::Wakes;
use meantime_store::{account, focus, item, outbox};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest sleep: tokio's clock stands still while the computer sleeps, and the
/// wall clock may be set.
const MAX_SLEEP: Duration = Duration::from_secs(20);

/// How often the database is tidied: statistics, memory, the write-ahead log.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// Runs until the engine stops.
pub(crate) async fn run(engine: Arc<Engine>, wakes: Wakes) {
    let mut woken = wakes.subscribe();
    let mut tidied = Instant::now();
    loop {
        let next = engine.next_due().await;
        let sleep = match next {
            Ok(Some(at)) => (at - engine.now()).to_std().unwrap_or(Duration::ZERO).min(MAX_SLEEP),
            Ok(None) => MAX_SLEEP,
            Err(_) => MAX_SLEEP,
        };
        tokio::select! {
            () = engine.stop.cancelled() => return,
            () = tokio::time::sleep(sleep) => {}
            () = engine.reschedule.notified() => {}
            _ = woken.recv() => engine.retry_accounts().await,
        }
        if tidied.elapsed() > TIDY_EVERY {
            tidied = Instant::now();
            let store = engine.store.clone();
            if let Err(error) = blocking(move || Ok(store.tidy()?)).await {
                tracing::warn!(%error, "the database could not be tidied");
            }
        }
        if let Err(error) = engine.do_due().await {
            tracing::error!(%error, "what was due could not be done; trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

impl Engine {
    /// What became due while nothing ran, and what a crash left half done.
    pub(crate) async fn catch_up(self: &Arc<Self>) -> Result<(), Failure> {
        self.do_due().await
    }

    /// Does everything that is due now.
    pub(crate) async fn do_due(self: &Arc<Self>) -> Result<(), Failure> {
        self.end_block_if_over().await?;
        let now = self.now();
        let woken = self.write(move |tx| Ok(item::wake(tx, now)?)).await?;
        if !woken.is_empty() {
            self.tell(&[Tag::Inbox, Tag::Status]);
        }
        self.send_what_is_ready().await;
        Ok(())
    }

    /// The next instant at which something is due.
    async fn next_due(&self) -> Result<Option<DateTime<Utc>>, Failure> {
        let now = self.now();
        let (block, mut times) = self
            .read(move |db| {
                let mut times = vec![item::next_wake(db)?];
                for account in account::all(db)? {
                    times.push(outbox::next_ready(db, account.id, now)?);
                }
                Ok((focus::running(db)?, times))
            })
            .await?;
        times.push(block.and_then(|block| self.ends_at(&block)));
        Ok(times.into_iter().flatten().min())
    }
}
