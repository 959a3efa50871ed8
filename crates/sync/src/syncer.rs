//! The loop between [`Log`] and [`Remote`].
//!
//! One task, one thing at a time: push first, then pull, then a page of
//! history; when there is nothing to do it waits for a poke, a nudge, an op
//! that becomes due or the slow poll. Beside it the files of messages go up,
//! one at a time, for that may take long. Dropped at any await, it begins anew
//! from what the log holds.

mod out;

use crate::backoff::{self, jitter};
use crate::state::{Handle, State, Tuning};
use crate::{Feed, Log, LogError, Pokes, Remote, RemoteError};
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use meantime_model::DeviceId;
use meantime_model::backoff::Backoff;
use meantime_protocol::http::Me;
use meantime_protocol::{Code, Cursor, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// Tells the time.
type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Keeps this device and a server in step.
pub struct Syncer {
    log: Arc<dyn Log>,
    remote: Arc<dyn Remote>,
    device: DeviceId,
    clock: Clock,
    tuning: Tuning,
    nudge: Arc<Notify>,
    now: Arc<Notify>,
    /// All ops that may go have gone: time for the files of the others.
    pushed: Notify,
    state: watch::Sender<State>,
}

/// Why a connection ended.
enum End {
    Remote(RemoteError),
    Log(LogError),
    /// The stream of pokes ended after all had been well.
    Stream,
}

impl From<RemoteError> for End {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}

impl From<LogError> for End {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// What is to be done in one connection.
struct Work {
    push: bool,
    push_at: Option<Instant>,
    dirty: BTreeSet<Scope>,
    /// Feeds begun anew in this connection: a second time is not progress.
    anew: BTreeSet<Scope>,
    /// Circles that a server put back from a backup does not know (yet).
    absent: BTreeSet<Scope>,
    history: bool,
    poll_at: Instant,
}

impl Syncer {
    /// `device` is who [`Me`] must say we are; `clock` tells the time.
    pub fn new(
        log: Arc<dyn Log>,
        remote: Arc<dyn Remote>,
        device: DeviceId,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        tuning: Tuning,
    ) -> (Self, Handle) {
        let (state, watched) = watch::channel(State::Connecting);
        let (nudge, now) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handle = Handle { nudge: Arc::clone(&nudge), now: Arc::clone(&now), state: watched };
        let (clock, pushed) = (Arc::new(clock), Notify::new());
        (Self { log, remote, device, clock, tuning, nudge, now, pushed, state }, handle)
    }

    /// Runs until `shutdown` completes. May be dropped instead.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = shutdown => {}
            () = self.keep_connecting() => {}
        }
    }

    async fn keep_connecting(&self) {
        let mut backoff = Backoff::new(self.tuning.first_retry, self.tuning.longest_retry);
        loop {
            let Err(end) = self.connection(&mut backoff).await;
            let wait = match &end {
                End::Stream => jitter(self.tuning.reconnect, 0.0, 1.0),
                End::Remote(e) if e.is_final() => jitter(self.tuning.refused, 0.8, 1.2),
                End::Remote(RemoteError::Busy { retry_after }) => backoff::fail(&mut backoff, *retry_after),
                End::Remote(_) | End::Log(_) => backoff::fail(&mut backoff, None),
            };
            self.say(&end);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.now.notified() => {}
            }
        }
    }

    /// Tells how the connection stands after it ended.
    fn say(&self, end: &End) {
        let message = match end {
            End::Remote(e) => e.to_string(),
            End::Log(e) => e.to_string(),
            End::Stream => "the server ended the connection".to_owned(),
        };
        tracing::debug!(%message, "the connection ended");
        let refused = matches!(end, End::Remote(e) if e.is_final());
        let signed_out = matches!(end, End::Remote(RemoteError::Unauthorized));
        self.state.send_if_modified(|state| {
            let next = match state {
                _ if refused => State::Refused { message, signed_out },
                State::Offline { since, .. } => State::Offline { since: *since, message },
                _ => State::Offline { since: (self.clock)(), message },
            };
            // The same once more is no news.
            let news = *state != next;
            *state = next;
            news
        });
    }

    /// One connection, from `me` to its end. Only ever ends with a reason.
    async fn connection(&self, backoff: &mut Backoff) -> Result<std::convert::Infallible, End> {
        let mut work = Work {
            push: true,
            push_at: None,
            dirty: BTreeSet::new(),
            anew: BTreeSet::new(),
            absent: BTreeSet::new(),
            history: true,
            poll_at: Instant::now() + jitter(self.tuning.poll, 0.8, 1.2),
        };
        // The stream is opened first: what happens after is poked.
        let mut pokes = self.remote.live().await?;
        self.look_around(&mut work).await?;
        self.renew().await?;
        tokio::select! {
            end = self.keep_in_step(&mut pokes, &mut work, backoff) => end,
            end = self.carry_files() => end,
        }
    }

    async fn keep_in_step(
        &self,
        pokes: &mut Pokes,
        work: &mut Work,
        backoff: &mut Backoff,
    ) -> Result<std::convert::Infallible, End> {
        loop {
            if work.push {
                self.push(work).await?;
            } else if let Some(scope) = work.dirty.first().copied() {
                self.advance(scope, work).await?;
            } else {
                backoff.reset();
                if *self.state.borrow() != State::Live {
                    self.state.send_replace(State::Live);
                }
                if work.history {
                    self.history(work).await?;
                } else {
                    self.wait(pokes, work).await?;
                }
            }
        }
    }

    async fn wait(&self, pokes: &mut Pokes, work: &mut Work) -> Result<(), End> {
        let push_at = work.push_at.unwrap_or(work.poll_at).min(work.poll_at);
        tokio::select! {
            poke = pokes.next() => match poke {
                None => return Err(End::Stream),
                Some(Err(e)) => return Err(e.into()),
                Some(Ok(poke)) => {
                    let feeds: BTreeMap<Scope, Option<Cursor>> =
                        self.log.feeds().await?.into_iter().map(|f| (f.scope, f.cursor)).collect();
                    let known = |scope: &Scope| feeds.contains_key(scope) && !work.absent.contains(scope);
                    let appeared = poke.scopes.keys().any(|scope| !known(scope));
                    if appeared || poke.gone.iter().any(|scope| feeds.contains_key(scope)) {
                        self.look_around(work).await?;
                    }
                    let moved = poke.scopes.into_iter().filter(|(scope, upto)| {
                        feeds.get(scope).is_some_and(|cursor| cursor.is_none_or(|c| c.seq < *upto))
                    });
                    work.dirty.extend(moved.map(|(scope, _)| scope));
                }
            },
            () = self.nudge.notified() => work.push = true,
            () = self.now.notified() => {
                self.look_around(work).await?;
                self.renew().await?;
            }
            () = sleep_until(push_at) => {
                work.push = true;
                if Instant::now() >= work.poll_at {
                    work.poll_at = Instant::now() + jitter(self.tuning.poll, 0.8, 1.2);
                    work.history = true;
                    self.look_around(work).await?;
                    self.renew().await?;
                }
            }
        }
        Ok(())
    }

    /// What fails here for a while is tried again in the next hour: the token
    /// in use goes on.
    async fn renew(&self) -> Result<(), End> {
        match self.remote.renew((self.clock)()).await {
            Err(e @ RemoteError::Unauthorized) => Err(e.into()),
            Err(e) => {
                tracing::debug!(message = %e, "the token was not replaced");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Asks who we are: feeds that appeared are followed, those that are gone
    /// forgotten, those that moved or were put back noted. A circle that a
    /// server put back does not list is not gone: whoever made it, after the
    /// backup, brings it back.
    async fn look_around(&self, work: &mut Work) -> Result<Me, End> {
        let me = self.remote.me().await?;
        if me.device != self.device {
            return Err(RemoteError::Unauthorized.into());
        }
        let feeds: BTreeMap<Scope, Feed> = self.log.feeds().await?.into_iter().map(|f| (f.scope, f)).collect();
        let mut put_back = false;
        for (scope, newest) in &me.scopes {
            let feed = feeds.get(scope);
            let lost = feed.and_then(|feed| feed.cursor.or(feed.was)).is_some_and(|ours| is_lost(ours, *newest));
            put_back |= lost || feed.is_some_and(|feed| feed.lost);
            match feed.map(|feed| feed.cursor) {
                None => {
                    self.log.follow(*scope).await?;
                    work.dirty.insert(*scope);
                }
                Some(_) if lost => self.begin_anew(*scope, true, work).await?,
                Some(None) => {
                    work.dirty.insert(*scope);
                }
                Some(Some(ours)) if ours.seq < newest.seq => {
                    work.dirty.insert(*scope);
                }
                Some(Some(_)) => {}
            }
        }
        work.absent.clear();
        for feed in feeds.values().filter(|feed| !me.scopes.contains_key(&feed.scope)) {
            work.dirty.remove(&feed.scope);
            match feed.scope {
                Scope::Private(_) if put_back || feed.lost => {
                    if put_back {
                        self.log.begin_anew(feed.scope, true).await?;
                    }
                    work.absent.insert(feed.scope);
                    work.history = true;
                }
                scope => self.log.forget(scope).await?,
            }
        }
        Ok(me)
    }

    /// One page further in a feed that moved, or its first bootstrap page.
    async fn advance(&self, scope: Scope, work: &mut Work) -> Result<(), End> {
        let feed = self.log.feeds().await?.into_iter().find(|f| f.scope == scope);
        let Some(feed) = feed else {
            work.dirty.remove(&scope);
            return Ok(());
        };
        let Some(cursor) = feed.cursor else {
            return self.bootstrap(&feed, work).await;
        };
        match self.remote.pull(scope, cursor).await {
            Ok(page) => {
                let stuck = page.more && page.next.seq <= cursor.seq;
                if page.next.epoch != cursor.epoch || page.next.seq < cursor.seq || stuck {
                    return Err(RemoteError::Protocol("a page that leads backwards".into()).into());
                }
                self.log.apply_page(scope, &page).await?;
                if !page.more {
                    work.dirty.remove(&scope);
                    // Something may have waited for what it brought.
                    work.push = true;
                }
                Ok(())
            }
            Err(e) => self.recover(scope, cursor, e, work).await,
        }
    }

    /// A page of history, behind everything else; behind that, circles that
    /// are to be brought back.
    async fn history(&self, work: &mut Work) -> Result<(), End> {
        let feeds = self.log.feeds().await?;
        let unread = |f: &Feed| (f.cursor.is_none() || f.page.is_some()) && !work.absent.contains(&f.scope);
        if let Some(feed) = feeds.into_iter().find(unread) {
            return self.bootstrap(&feed, work).await;
        }
        for scope in &work.absent {
            self.log.bring_back(*scope).await?;
            work.push = true;
        }
        work.history = false;
        Ok(())
    }

    async fn bootstrap(&self, feed: &Feed, work: &mut Work) -> Result<(), End> {
        let (scope, token) = (feed.scope, feed.page.as_deref());
        match self.remote.bootstrap(scope, token).await {
            Ok(page) => {
                if page.next_page.is_some() && page.next_page.as_deref() == token {
                    return Err(RemoteError::Protocol("a page that leads to itself".into()).into());
                }
                // Restored while we paged: what is here is of two epochs.
                if feed.cursor.or(feed.was).is_some_and(|cursor| cursor.epoch != page.start.epoch) {
                    return self.begin_anew(scope, true, work).await;
                }
                work.history |= page.next_page.is_some();
                self.log.apply_bootstrap(scope, &page).await?;
                // What changed since the first page was made comes by pull.
                work.dirty.insert(scope);
                // The end may have found words that a server put back has lost.
                work.push |= page.next_page.is_none();
                Ok(())
            }
            Err(e) => match (feed.cursor, &e) {
                (Some(cursor), _) => self.recover(scope, cursor, e, work).await,
                (None, RemoteError::Gone) => self.gone_or(scope, e, work).await,
                (None, RemoteError::Refused(problem)) if problem.code == Code::NotFound => {
                    self.gone_or(scope, e, work).await
                }
                (None, _) => Err(e.into()),
            },
        }
    }

    /// A feed can't be gone on with: is it gone, put back, or only too old?
    async fn recover(&self, scope: Scope, cursor: Cursor, e: RemoteError, work: &mut Work) -> Result<(), End> {
        match &e {
            RemoteError::Gone => {}
            RemoteError::Refused(problem) if problem.code == Code::NotFound => {
                return self.gone_or(scope, e, work).await;
            }
            // A bootstrap page that the server does not know any more.
            RemoteError::Refused(problem) if matches!(problem.code, Code::BadRequest | Code::Invalid) => {}
            _ => return Err(e.into()),
        }
        let me = self.look_around(work).await?;
        let still = self.log.feeds().await?.into_iter().find(|f| f.scope == scope);
        match (me.scopes.get(&scope), still.and_then(|f| f.cursor)) {
            // Looking around has begun it anew, or it is gone.
            (None, _) | (_, None) => Ok(()),
            (Some(newest), Some(_)) => self.begin_anew(scope, is_lost(cursor, *newest), work).await,
        }
    }

    async fn begin_anew(&self, scope: Scope, lost_epoch: bool, work: &mut Work) -> Result<(), End> {
        if !work.anew.insert(scope) {
            return Err(RemoteError::Protocol("it lost its place in a feed again and again".into()).into());
        }
        self.log.begin_anew(scope, lost_epoch).await?;
        work.dirty.insert(scope);
        work.push |= lost_epoch;
        Ok(())
    }

    /// "Not found" is believed if `me` says so as well.
    async fn gone_or(&self, scope: Scope, e: RemoteError, work: &mut Work) -> Result<(), End> {
        let me = self.look_around(work).await?;
        if me.scopes.contains_key(&scope) { Err(e.into()) } else { Ok(()) }
    }
}

/// The server was put back from a backup: another epoch, or behind us.
fn is_lost(ours: Cursor, newest: Cursor) -> bool {
    ours.epoch != newest.epoch || ours.seq > newest.seq
}
