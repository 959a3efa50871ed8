//! Apps that sync with our server: the app's own syncer, over the app's own
//! database (*whole*), over a [`Plain`] one (*lean*), or over a cursor in
//! memory (*light*, for many thousands on one machine).

use super::plain::{Plain, Row};
use super::seat::{Seat, message};
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use meantime_model::{AccountId, ItemId, OpId};
use meantime_platform::{Clock, SystemClock};
use meantime_protocol::http::{BootstrapPage, Op, OpResult, PullPage, PushOutcome};
use meantime_protocol::{Cursor, Kind, Record, Scope};
use meantime_store::account::{self, Account, AccountKind};
use meantime_store::outbox::{self, Change, NewOp, Target};
use meantime_store::team::{self, Team};
use meantime_store::{Store, StoreError, Tx, record, scope};
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
    Whole(Whole),
    Lean(Arc<Lean>),
}

impl App {
    /// With the app's own database.
    ///
    /// # Errors
    /// The disk, or TLS.
    pub fn whole(seat: &Seat, folder: &Path) -> Result<Self> {
        let store = Store::open(&folder.join("meantime.db"), SystemClock.now())?.store;
        let row = Account {
            id: AccountId::new(),
            kind: AccountKind::Team,
            name: seat.joined.team_name.clone(),
            identity: format!("team:{}", seat.joined.team),
            config: Value::Null,
            created_at: SystemClock.now(),
            checked_at: None,
            error: None,
            position: 0,
        };
        store.write(|tx| account::put(tx, &row))?;
        let progress = watch::channel(Progress::default()).0;
        let eyes = Team { account: row.id, me: seat.joined.person, now: SystemClock.now() };
        let whole = Whole { store, eyes, feed: seat.team(), progress: progress.clone() };
        Self::start(seat, Arc::new(whole.clone()), Disk::Whole(whole), &progress)
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
        let progress = watch::channel(Progress::default()).0;
        let known = Known { feeds: feeds.into_iter().map(|f| (f.scope, f)).collect(), ..Known::default() };
        let lean = Arc::new(Lean { known: Mutex::new(known), plain, feed: seat.team(), progress: progress.clone() });
        Self::start(seat, Arc::clone(&lean) as _, Disk::Lean(lean), &progress)
    }

    fn start(seat: &Seat, log: Arc<dyn Log>, disk: Disk, progress: &watch::Sender<Progress>) -> Result<Self> {
        let remote = Arc::new(seat.remote()?);
        let (syncer, handle) = Syncer::new(log, remote, seat.joined.device, || SystemClock.now(), Tuning::default());
        let run = tokio::spawn(syncer.run(std::future::pending()));
        Ok(Self { seat: seat.clone(), handle, progress: progress.subscribe(), disk, run })
    }

    /// The person sends a message to the team.
    ///
    /// # Errors
    /// The disk.
    pub async fn send(&self, thread: Uuid, text: &str) -> Result<()> {
        let op = message(0, self.seat.team(), thread, text);
        match self.disk.clone() {
            Disk::Whole(whole) => tokio::task::spawn_blocking(move || whole.write(op)).await??,
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
            Disk::Whole(whole) => {
                let rows = whole.store.read(|db| record::of_scope(db, whole.feed))?;
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

/// How far a page leads, told once it is stored.
fn stored(progress: &watch::Sender<Progress>, rows: &[Record], seq: Option<u64>, through: bool) {
    progress.send_modify(|now| {
        now.messages += rows.iter().filter(|row| row.kind == Kind::MESSAGE).count() as u64;
        now.seq = seq.unwrap_or(now.seq);
        now.through |= through;
    });
}

fn settled(progress: &watch::Sender<Progress>, results: &[OpResult]) {
    let refused = results.iter().filter(|r| matches!(r.outcome, PushOutcome::Rejected { .. })).count() as u64;
    progress.send_modify(|now| {
        now.refused += refused;
        now.taken += results.len() as u64 - refused;
    });
}

/// The app's database, as the engine gives it to sync; nothing is judged.
#[derive(Clone)]
struct Whole {
    store: Store,
    eyes: Team,
    feed: Scope,
    progress: watch::Sender<Progress>,
}

impl Whole {
    fn write(&self, op: Op) -> Result<(), StoreError> {
        let change = Change { fields: op.fields, ..Change::default() };
        let item = change.fields.get("thread").and_then(|id| id.as_str()?.parse().ok()).map(ItemId);
        let entry = NewOp {
            account: self.eyes.account,
            op_id: OpId::new(),
            target: Target::Record { scope: op.scope, kind: op.kind, id: op.id, change },
            item,
            what: "Message".into(),
            text: String::new(),
            not_before: None,
            made_at: SystemClock.now(),
        };
        self.store.write(|tx| team::push(tx, &self.now(), &entry)).map(drop)
    }

    fn now(&self) -> Team {
        Team { now: SystemClock.now(), ..self.eyes }
    }

    async fn durable<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>, &Team) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LogError> {
        let this = self.clone();
        blocking(move || this.store.write(|tx| f(tx, &this.now()))).await
    }

    async fn bulk<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>, &Team) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LogError> {
        let this = self.clone();
        blocking(move || this.store.write_bulk(|tx| f(tx, &this.now()))).await
    }
}

async fn blocking<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
    f: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, LogError> {
    let done = tokio::task::spawn_blocking(f).await.map_err(|e| LogError(e.to_string()))?;
    done.map_err(|e| LogError(e.to_string()))
}

#[async_trait]
impl Log for Whole {
    async fn feeds(&self) -> Result<Vec<Feed>, LogError> {
        let this = self.clone();
        let feeds = blocking(move || this.store.read(|db| scope::all(db, this.eyes.account))).await?;
        Ok(feeds.into_iter().map(|f| Feed { scope: f.scope, cursor: f.cursor, page: f.page }).collect())
    }

    async fn follow(&self, scope: Scope) -> Result<(), LogError> {
        self.bulk(move |tx, team| scope::add(tx, team.account, scope)).await
    }

    async fn forget(&self, scope: Scope) -> Result<(), LogError> {
        self.bulk(move |tx, team| team::forget(tx, team, scope).map(drop)).await
    }

    async fn apply_page(&self, scope: Scope, page: &PullPage) -> Result<(), LogError> {
        let rows = page.clone();
        self.bulk(move |tx, team| team::apply_page(tx, team, scope, &rows).map(drop)).await?;
        if scope == self.feed {
            stored(&self.progress, &page.rows, Some(page.next.seq), false);
        }
        Ok(())
    }

    async fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), LogError> {
        let rows = page.clone();
        self.bulk(move |tx, team| team::apply_bootstrap(tx, team, scope, &rows).map(drop)).await?;
        if scope == self.feed {
            let end = page.next_page.is_none();
            stored(&self.progress, &page.rows, end.then_some(page.start.seq), end);
        }
        Ok(())
    }

    async fn begin_anew(&self, scope: Scope, lost_epoch: bool) -> Result<(), LogError> {
        self.bulk(move |tx, _| team::begin_anew(tx, scope, lost_epoch)).await
    }

    async fn outgoing(&self) -> Result<Outgoing, LogError> {
        self.durable(|tx, team| {
            let ops = team::next_ops(tx, team.account, team.now)?;
            Ok(Outgoing { ops, next_at: outbox::next_ready(tx, team.account, team.now)? })
        })
        .await
    }

    async fn settle(&self, results: &[OpResult]) -> Result<(), LogError> {
        let outcomes = results.to_vec();
        self.bulk(move |tx, team| team::settle(tx, team, &outcomes).map(drop)).await?;
        settled(&self.progress, results);
        Ok(())
    }
}

/// Rows go to a plain database or nowhere; all else is in memory.
struct Lean {
    known: Mutex<Known>,
    plain: Option<Plain>,
    feed: Scope,
    progress: watch::Sender<Progress>,
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
        self.known().feeds.entry(scope).or_insert(Feed { scope, cursor: None, page: None });
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
        if scope == self.feed {
            stored(&self.progress, &page.rows, Some(page.next.seq), false);
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
        if scope == self.feed {
            stored(&self.progress, &page.rows, end.then_some(page.start.seq), end);
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
        settled(&self.progress, results);
        Ok(())
    }
}
