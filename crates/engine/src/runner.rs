//! Reads one account, over and over: pull until there is no more, write back
//! what waits, then wait for news. Each account has its own task, so that a
//! broken one never delays another.

use crate::api::{AccountState, Tag};
use crate::engine::Engine;
use chrono::TimeDelta;
use meantime_model::AccountId;
use meantime_model::backoff::Backoff;
use meantime_source::backoff;
use meantime_source::{Budget, Source, SourceError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

/// An account that is told of news is asked without it this often: a
/// connection can die without a word.
const LIVE_POLL: Duration = Duration::from_secs(15 * 60);

/// Wakes the task of an account.
#[derive(Clone, Default)]
pub(crate) struct Poke {
    asked: Arc<Notify>,
    work: Arc<Notify>,
    turn: Arc<Mutex<()>>,
}

impl Poke {
    /// Look at the account now: the person asked, or the world may have changed.
    pub(crate) fn now(&self) {
        self.asked.notify_one();
    }

    /// Something is to be written back. That is no reason to try again early
    /// after a failure: each try with a wrong password counts at a provider.
    pub(crate) fn work(&self) {
        self.work.notify_one();
    }

    /// Held while the account is read or written: two at once would send an
    /// answer twice.
    pub(crate) async fn alone(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }
}

/// Runs until `stop`.
pub(crate) async fn run(engine: Arc<Engine>, account: AccountId, poke: Poke, stop: CancellationToken) {
    let mut backoff = backoff::new();
    if let Err(error) = engine.let_on(account).await {
        tracing::error!(%account, %error, "what waits could not be let on");
    }
    loop {
        let wait = tokio::select! {
            () = stop.cancelled() => return,
            wait = turn(&engine, account, &poke) => wait,
        };
        let pause = match wait {
            Ok(()) => {
                backoff.reset();
                continue;
            }
            Err(error) => {
                let pause = pause_after(&error, &mut backoff);
                report(&engine, account, &error, pause).await;
                pause
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = poke.asked.notified() => {}
            () = sleep_or_forever(pause) => {}
        }
    }
}

/// One turn: everything new is read, everything waiting is written back, and
/// then there was news again. `Err` says why it could not be read; what can't
/// be written back keeps nothing from being read.
async fn turn(engine: &Arc<Engine>, account: AccountId, poke: &Poke) -> Result<(), SourceError> {
    let source = engine.open_source(account).await?;
    loop {
        let poll_after = {
            let _alone = poke.alone().await;
            let poll_after = engine.read_account(account, source.as_ref()).await?;
            let written = engine.write_back(account, source.as_ref()).await;
            written.map_err(|failure| SourceError::Transient(failure.message))?;
            poll_after
        };
        engine.set_read(account).await;
        tokio::select! {
            () = poke.asked.notified() => return Ok(()),
            () = poke.work.notified() => return Ok(()),
            news = news(engine, account, source.as_ref(), poll_after) => news?,
        }
    }
}

/// Returns when the account should be read again.
async fn news(
    engine: &Arc<Engine>,
    account: AccountId,
    source: &dyn Source,
    poll_after: Option<Duration>,
) -> Result<(), SourceError> {
    let poll = poll_after.unwrap_or(meantime_source::DEFAULT_POLL);
    if !source.caps().live {
        tokio::time::sleep(poll).await;
        return Ok(());
    }
    let Some(cursor) = engine.cursor_of(account).await else { return Ok(()) };
    tokio::select! {
        news = source.live(&cursor) => news,
        () = tokio::time::sleep(LIVE_POLL) => Ok(()),
    }
}

impl Engine {
    /// Pulls until there is no more. Returns what the source asked for.
    pub(crate) async fn read_account(
        self: &Arc<Self>,
        account: AccountId,
        source: &dyn Source,
    ) -> Result<Option<Duration>, SourceError> {
        let mut read = 0;
        loop {
            let cursor = self.cursor_of(account).await;
            let page = match source.pull(cursor.as_ref(), Budget::default()).await {
                Err(SourceError::CursorInvalid) => {
                    self.forget_cursor(account).await;
                    source.pull(None, Budget::default()).await?
                }
                page => page?,
            };
            let (more, poll_after, backfill) = (page.more, page.poll_after, page.backfill);
            let trouble = page.trouble.clone();
            read += page.changes.len();
            self.take_in(account, page).await.map_err(|e| SourceError::Transient(e.message))?;
            if let Some(trouble) = trouble {
                return Err(trouble);
            }
            if !more {
                return Ok(poll_after);
            }
            if backfill {
                let messages = u32::try_from(read).unwrap_or(u32::MAX);
                self.set_account_state(account, AccountState::Reading { messages }).await;
            }
        }
    }
}

/// `None`: not by itself; the person has to do something first.
fn pause_after(error: &SourceError, backoff: &mut Backoff) -> Option<Duration> {
    error.is_transient().then(|| backoff::fail(backoff, error.after()))
}

async fn sleep_or_forever(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

async fn report(engine: &Arc<Engine>, account: AccountId, error: &SourceError, pause: Option<Duration>) {
    tracing::warn!(%account, code = error.code(), %error, "an account could not be read");
    let again = pause.map(|pause| engine.now() + TimeDelta::from_std(pause).unwrap_or_default());
    engine.set_account_state(account, engine.trouble(account, error, again).await).await;
    engine.tell(&[Tag::Status]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_person_can_mend_is_not_tried_again() {
        let mut backoff = backoff::new();
        assert_eq!(pause_after(&SourceError::Auth(String::new()), &mut backoff), None);
        assert_eq!(pause_after(&SourceError::Certificate(String::new()), &mut backoff), None);
        let after = Duration::from_secs(77);
        let limited = SourceError::RateLimited { after, message: String::new() };
        assert!(pause_after(&limited, &mut backoff).is_some_and(|pause| pause >= after));
        let later = SourceError::Later { after, message: String::new() };
        assert!(pause_after(&later, &mut backoff).is_some_and(|pause| pause >= after));
        assert!(pause_after(&SourceError::Transient(String::new()), &mut backoff).is_some());
    }
}
