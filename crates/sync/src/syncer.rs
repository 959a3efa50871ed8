//! The loop: push, pull, hear, and come back after every failure.

use crate::{Feed, Log, Pokes, Remote, RemoteError, RemoteResult};
use meantime_protocol::{Cursor, Scope};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Everything is asked for this often even if no poke came: a lost one is harmless.
const POLL: Duration = Duration::from_secs(120);
/// Longest wait between two tries.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// How it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Connecting, or reading for the first time.
    Connecting,
    /// Up to date, and hearing of news.
    Live,
    /// Not reached; it goes on by itself.
    Offline(String),
    /// It waits for the person.
    Refused(String),
}

/// Keeps a device up with its server.
pub struct Syncer<L, R> {
    log: Arc<L>,
    remote: R,
    /// Something waits in the outbox.
    wake: Arc<Notify>,
    state: watch::Sender<State>,
}

/// Why a round ended: the server's side, or this device's own.
enum Failure {
    Remote(RemoteError),
    Log(String),
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}

impl<L: Log, R: Remote> Syncer<L, R> {
    /// Nothing happens before [`Syncer::run`]. `wake` is notified whenever
    /// something may wait in the outbox.
    pub fn new(log: Arc<L>, remote: R, wake: Arc<Notify>) -> Self {
        Self { log, remote, wake, state: watch::Sender::new(State::Connecting) }
    }

    /// How it goes, from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Runs until dropped. It may be dropped anywhere: what the log had not
    /// committed is done again.
    pub async fn run(&self) {
        let mut failures = 0;
        loop {
            let failure = match self.session(&mut failures).await {
                Ok(never) => match never {},
                Err(failure) => failure,
            };
            failures += 1;
            let wait = match failure {
                Failure::Remote(error) if error.needs_person() => {
                    self.state.send_replace(State::Refused(error.to_string()));
                    MAX_WAIT
                }
                Failure::Remote(error) => {
                    self.state.send_replace(State::Offline(error.to_string()));
                    match error {
                        RemoteError::Busy(wait) => wait + jitter(wait),
                        _ => jitter(Duration::from_secs(1).saturating_mul(1 << u32::min(failures, 6))).min(MAX_WAIT),
                    }
                }
                Failure::Log(message) => {
                    self.state.send_replace(State::Offline(message));
                    MAX_WAIT
                }
            };
            tracing::info!(state = ?*self.state.borrow(), ?wait, "sync pauses");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.wake.notified(), if failures < 3 => {}
            }
        }
    }

    /// One connection: the stream first, so that nothing is missed between
    /// catching up and hearing.
    async fn session(&self, failures: &mut u32) -> Result<std::convert::Infallible, Failure> {
        let mut pokes = self.remote.live().await?;
        self.catch_up().await?;
        *failures = 0;
        self.state.send_replace(State::Live);
        loop {
            self.push_all().await?;
            let moved = self.wait(&mut pokes).await?;
            match moved {
                Moved::Feeds(scopes) => self.pull_some(&scopes).await?,
                Moved::Perhaps => self.catch_up().await?,
                Moved::Outbox => {}
            }
        }
    }

    /// Once, for a lone command: pushes what waits and pulls what is new.
    ///
    /// # Errors
    /// Why it could not, in plain words.
    pub async fn once(&self) -> Result<(), String> {
        let result = async {
            self.push_all().await?;
            self.catch_up().await
        };
        result.await.map_err(|failure| match failure {
            Failure::Remote(error) => error.to_string(),
            Failure::Log(message) => message,
        })
    }

    async fn wait(&self, pokes: &mut Pokes) -> RemoteResult<Moved> {
        tokio::select! {
            poke = pokes.next() => Ok(Moved::Feeds(poke?.scopes.into_keys().collect())),
            () = self.wake.notified() => Ok(Moved::Outbox),
            () = tokio::time::sleep(POLL + jitter(POLL)) => Ok(Moved::Perhaps),
        }
    }

    /// Follows the feeds the server names and no others, each to its end.
    async fn catch_up(&self) -> Result<(), Failure> {
        let me = self.remote.me().await?;
        let named: BTreeSet<Scope> = me.scopes.keys().copied().collect();
        let followed: BTreeSet<Scope> = self.feeds().await?.into_iter().map(|feed| feed.scope).collect();
        for scope in followed.difference(&named).copied() {
            self.log(move |log| log.forget(scope)).await?;
        }
        for scope in named.difference(&followed).copied() {
            self.log(move |log| log.follow(scope)).await?;
        }
        self.pull_some(&named).await
    }

    async fn pull_some(&self, scopes: &BTreeSet<Scope>) -> Result<(), Failure> {
        let feeds = self.feeds().await?;
        if scopes.iter().any(|scope| !feeds.iter().any(|feed| feed.scope == *scope)) {
            // A feed we did not know: joined a circle a moment ago.
            return Box::pin(self.catch_up()).await;
        }
        // First what moved everywhere, then the older history behind.
        for feed in feeds.iter().filter(|feed| scopes.contains(&feed.scope)) {
            self.pull_feed(feed.clone()).await?;
        }
        for feed in self.feeds().await?.into_iter().filter(|feed| feed.page.is_some()) {
            self.read_on(feed).await?;
        }
        Ok(())
    }

    async fn pull_feed(&self, feed: Feed) -> Result<(), Failure> {
        let scope = feed.scope;
        let mut cursor = match feed.cursor {
            Some(cursor) => cursor,
            None => self.first_page(scope).await?,
        };
        loop {
            match self.remote.pull(scope, cursor).await {
                Ok(page) => {
                    let (next, more) = (page.next, page.more);
                    self.log(move |log| log.apply(scope, &page)).await?;
                    if !more {
                        return Ok(());
                    }
                    if next == cursor {
                        return Err(RemoteError::Protocol("a page that leads nowhere".to_owned()).into());
                    }
                    cursor = next;
                }
                Err(RemoteError::Gone) => cursor = self.begin_anew(scope, cursor).await?,
                Err(RemoteError::NotFound) => return self.log(move |log| log.forget(scope)).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn begin_anew(&self, scope: Scope, before: Cursor) -> Result<Cursor, Failure> {
        let page = self.remote.bootstrap(scope, None).await?;
        let lost_epoch = page.start.epoch != before.epoch;
        let start = page.start;
        self.log(move |log| {
            log.begin_anew(scope, lost_epoch)?;
            log.apply_bootstrap(scope, &page)
        })
        .await?;
        Ok(start)
    }

    async fn first_page(&self, scope: Scope) -> Result<Cursor, Failure> {
        let page = self.remote.bootstrap(scope, None).await?;
        let start = page.start;
        self.log(move |log| log.apply_bootstrap(scope, &page)).await?;
        Ok(start)
    }

    /// The older pages of a bootstrap. What moved meanwhile is pulled between
    /// them, so that news never waits for history.
    async fn read_on(&self, feed: Feed) -> Result<(), Failure> {
        let scope = feed.scope;
        let mut page = feed.page;
        while let Some(token) = page {
            match self.remote.bootstrap(scope, Some(token)).await {
                Ok(rows) => {
                    page = rows.next_page.clone();
                    self.log(move |log| log.apply_bootstrap(scope, &rows)).await?;
                    self.push_all().await?;
                }
                Err(RemoteError::Gone) => {
                    self.log(move |log| log.begin_anew(scope, false)).await?;
                    self.first_page(scope).await?;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn push_all(&self) -> Result<(), Failure> {
        loop {
            let ops = self.log(|log| log.next_ops()).await?;
            if ops.is_empty() {
                return Ok(());
            }
            let sent: Vec<u64> = ops.iter().map(|op| op.n).collect();
            let answer = self.remote.push(ops).await?;
            let answered: Vec<u64> = answer.results.iter().map(|result| result.n).collect();
            if answered != sent {
                return Err(RemoteError::Protocol("outcomes that are not those of the ops sent".to_owned()).into());
            }
            self.log(move |log| log.settle(&answer.results)).await?;
        }
    }

    async fn feeds(&self) -> Result<Vec<Feed>, Failure> {
        self.log(|log| log.feeds()).await
    }

    async fn log<T: Send + 'static>(
        &self,
        f: impl FnOnce(&L) -> Result<T, L::Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let log = self.log.clone();
        let done = tokio::task::spawn_blocking(move || f(&log).map_err(|e| e.to_string())).await;
        done.map_err(|_| Failure::Log("Meantime is stopping".to_owned()))?.map_err(Failure::Log)
    }
}

/// What ended a wait.
enum Moved {
    Feeds(BTreeSet<Scope>),
    Outbox,
    Perhaps,
}

/// Anything from a tenth of `bound` up to it, so that apps come back spread out.
fn jitter(bound: Duration) -> Duration {
    let mut random = [0; 4];
    let share = match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    };
    bound.mul_f64(0.1 + 0.9 * share)
}
