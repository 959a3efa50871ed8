//! Apps that sync with our server: the app's own syncer, over the app's own
//! database (*whole*), over a [`Plain`] one (*lean*), or over a cursor in
//! memory (*light*, for many thousands on one machine).

use super::plain::{Plain, Row};
use super::seat::{Seat, message};
use crate::stored::{Deed, Stored};
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use chrono::TimeDelta;
use meantime_model::ItemId;
use meantime_platform::{Clock, SystemClock};
use meantime_protocol::http::{BootstrapPage, Op, OpResult, PullPage, PushOutcome};
use meantime_protocol::{Cursor, Kind, Record, Scope};
use meantime_store::outbox::Change;
use meantime_store::{StoreError, record};
use meantime_sync::{Feed, Handle, Log, LogError, Outgoing, State, Syncer, Tuning};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How far an app is, in the team's feed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Everything up to here is stored.
    pub seq: u64,
    /// Messages that were stored.
    pub messages: u64,
    /// Changes of its own that the server took.
    pub taken: u64,
    /// Changes of its own that the server refused.
    pub refused: u64,
    /// The first reading is through.
    pub through: bool,
}

/// A running app. Dropping it ends it.
pub struct App {
    seat: Seat,
    handle: Handle,
    progress: watch::Receiver<Progress>,
    disk: Disk,
    run: JoinHandle<()>,
}

#[derive(Clone)]
enum Disk {
    Whole(Stored),
    Lean(Arc<Lean>),
}

impl App {
    /// With the app's own database.
    ///
    /// # Errors
    /// The disk, or TLS.
    pub fn whole(seat: &Seat, folder: &Path) -> Result<Self> {
        let stored = Stored::open(&folder.join("meantime.db"), &seat.joined, TimeDelta::zero())?;
        Self::start(seat, Arc::new(stored.clone()), Disk::Whole(stored))
    }

    /// With a plain database.
    ///
    /// # Errors
    /// The disk, or TLS.
    pub fn lean(seat: &Seat, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Self::with(seat, Some(Plain::create(&folder.join("lean.db"))?), Vec::new())
    }

    /// With nothing but where it stands.
    ///
    /// # Errors
    /// TLS.
    pub fn light(seat: &Seat, feeds: Vec<Feed>) -> Result<Self> {
        Self::with(seat, None, feeds)
    }

    fn with(seat: &Seat, plain: Option<Plain>, feeds: Vec<Feed>) -> Result<Self> {
        let known = Known { feeds: feeds.into_iter().map(|f| (f.scope, f)).collect(), ..Known::default() };
        let lean = Arc::new(Lean { known: Mutex::new(known), plain });
        Self::start(seat, Arc::clone(&lean) as _, Disk::Lean(lean))
    }

    fn start(seat: &Seat, log: Arc<dyn Log>, disk: Disk) -> Result<Self> {
        let (remote, progress) = (Arc::new(seat.remote()?), watch::channel(Progress::default()).0);
        let watched = progress.subscribe();
        let log = Arc::new(Counted { log, feed: seat.team(), progress });
        let (syncer, handle) = Syncer::new(log, remote, seat.joined.device, || SystemClock.now(), Tuning::default());
        let run = tokio::spawn(syncer.run(std::future::pending()));
        Ok(Self { seat: seat.clone(), handle, progress: watched, disk, run })
    }

    /// The person sends a message to the team.
    ///
    /// # Errors
    /// The disk.
    pub async fn send(&self, thread: Uuid, text: &str) -> Result<()> {
        let op = message(0, self.seat.team(), thread, text);
        match self.disk.clone() {
            Disk::Whole(stored) => tokio::task::spawn_blocking(move || write(&stored, op)).await??,
            Disk::Lean(lean) => lean.known().write(op),
        }
        self.handle.nudge();
        Ok(())
    }

    /// Waits until it is so far.
    ///
    /// # Errors
    /// It ended, or something it sent was refused.
    pub async fn until(&self, mut far: impl FnMut(&Progress) -> bool) -> Result<Progress> {
        let mut progress = self.progress.clone();
        let reached = *progress.wait_for(|now| now.refused > 0 || far(now)).await.context("the app ended")?;
        ensure!(reached.refused == 0, "the server refused what an app sent");
        Ok(reached)
    }

    /// Waits until it hears of news.
    ///
    /// # Errors
    /// It ended.
    pub async fn live(&self) -> Result<()> {
        self.handle.state().wait_for(|state| *state == State::Live).await.context("the app ended")?;
        Ok(())
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Whether it hears of news.
    #[must_use]
    pub fn is_live(&self) -> bool {
        *self.handle.state().borrow() == State::Live
    }

    /// Messages in its database, counted there.
    ///
    /// # Errors
    /// The disk.
    pub fn count(&self) -> Result<u64> {
        match &self.disk {
            Disk::Whole(stored) => {
                let rows = stored.store.read(|db| record::of_scope(db, self.seat.team()))?;
                Ok(rows.iter().filter(|row| row.kind == Kind::MESSAGE).count() as u64)
            }
            Disk::Lean(lean) => lean.plain.as_ref().map_or(Ok(self.progress().messages), Plain::count),
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.run.abort();
    }
}

fn write(stored: &Stored, op: Op) -> Result<(), StoreError> {
    let item = op.fields.get("thread").and_then(|id| id.as_str()?.parse().ok()).map(ItemId);
    let change = Change { fields: op.fields, ..Change::default() };
    stored.write(Deed { scope: op.scope, kind: op.kind, id: op.id, item, change, what: "Message", text: "" })
}

/// A device's side, and how far it is told once that is stored.
struct Counted {
    log: Arc<dyn Log>,
    feed: Scope,
    progress: watch::Sender<Progress>,
}

impl Counted {
    fn stored(&self, scope: Scope, rows: &[Record], seq: Option<u64>, through: bool) {
        if scope == self.feed {
            self.progress.send_modify(|now| {
                now.messages += rows.iter().filter(|row| row.kind == Kind::MESSAGE).count() as u64;
                now.seq = seq.unwrap_or(now.seq);
                now.through |= through;
            });
        }
    }
}

#[async_trait]
impl Log for Counted {
    async fn feeds(&self) -> Result<Vec<Feed>, LogError> {
        self.log.feeds().await
    }

    async fn follow(&self, scope: Scope) -> Result<(), LogError> {
        self.log.follow(scope).await
    }

    async fn forget(&self, scope: Scope) -> Result<(), LogError> {
        self.log.forget(scope).await
    }

    async fn apply_page(&self, scope: Scope, page: &PullPage) -> Result<(), LogError> {
        self.log.apply_page(scope, page).await?;
        self.stored(scope, &page.rows, Some(page.next.seq), false);
        Ok(())
    }

    async fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), LogError> {
        self.log.apply_bootstrap(scope, page).await?;
        let end = page.next_page.is_none();
        self.stored(scope, &page.rows, end.then_some(page.start.seq), end);
        Ok(())
    }

    async fn begin_anew(&self, scope: Scope, lost_epoch: bool) -> Result<(), LogError> {
        self.log.begin_anew(scope, lost_epoch).await
    }

    async fn outgoing(&self) -> Result<Outgoing, LogError> {
        self.log.outgoing().await
    }

    async fn settle(&self, results: &[OpResult]) -> Result<(), LogError> {
        self.log.settle(results).await?;
        let refused = results.iter().filter(|r| matches!(r.outcome, PushOutcome::Rejected { .. })).count() as u64;
        self.progress.send_modify(|now| {
            now.refused += refused;
            now.taken += results.len() as u64 - refused;
        });
        Ok(())
    }
}

/// Rows go to a plain database or nowhere; all else is in memory.
struct Lean {
    known: Mutex<Known>,
    plain: Option<Plain>,
}

#[derive(Default)]
struct Known {
    feeds: BTreeMap<Scope, Feed>,
    outbox: VecDeque<Op>,
    last_n: u64,
}

impl Known {
    fn write(&mut self, op: Op) {
        self.last_n += 1;
        self.outbox.push_back(Op { n: self.last_n, ..op });
    }
}

impl Lean {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, scope: Scope, rows: &[Record], cursor: Cursor, end: bool) -> Result<(), LogError> {
        let Some(plain) = &self.plain else { return Ok(()) };
        let text = |row: &Record| row.fields.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        let messages = rows.iter().filter(|row| row.kind == Kind::MESSAGE);
        let messages: Vec<Row> = messages
            .map(|row| Row { id: row.id.to_string(), author: row.author.to_string(), text: text(row) })
            .collect();
        let cursor = if end { cursor.to_string() } else { String::new() };
        // A page is small: this blocks no longer than handing it over would take.
        tokio::task::block_in_place(|| plain.put(&messages, &scope.to_string(), &cursor))
            .map_err(|e| LogError(e.to_string()))
    }
}

#[async_trait]
impl Log for Lean {
    async fn feeds(&self) -> Result<Vec<Feed>, LogError> {
        Ok(self.known().feeds.values().cloned().collect())
    }

    async fn follow(&self, scope: Scope) -> Result<(), LogError> {
        self.known().feeds.entry(scope).or_insert(Feed { scope, cursor: None, page: None, was: None, lost: false });
        Ok(())
    }

    async fn forget(&self, scope: Scope) -> Result<(), LogError> {
        self.known().feeds.remove(&scope);
        Ok(())
    }

    async fn apply_page(&self, scope: Scope, page: &PullPage) -> Result<(), LogError> {
        self.store(scope, &page.rows, page.next, true)?;
        if let Some(feed) = self.known().feeds.get_mut(&scope) {
            feed.cursor = Some(page.next);
        }
        Ok(())
    }

    async fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), LogError> {
        let end = page.next_page.is_none();
        self.store(scope, &page.rows, page.start, end)?;
        if let Some(feed) = self.known().feeds.get_mut(&scope) {
            feed.cursor.get_or_insert(page.start);
            feed.page.clone_from(&page.next_page);
        }
        Ok(())
    }

    async fn begin_anew(&self, scope: Scope, _lost_epoch: bool) -> Result<(), LogError> {
        Err(LogError(format!("{scope} was to be read anew: this server lost data")))
    }

    async fn outgoing(&self) -> Result<Outgoing, LogError> {
        Ok(Outgoing { ops: self.known().outbox.iter().take(200).cloned().collect(), next_at: None })
    }

    async fn settle(&self, results: &[OpResult]) -> Result<(), LogError> {
        self.known().outbox.retain(|op| results.iter().all(|result| result.n != op.n));
        Ok(())
    }
}
