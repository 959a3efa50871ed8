//! The engine itself: what it owns, how it starts and stops, and how its
//! parts reach the database and tell what changed.

use crate::adapters::{Adapters, Setup};
use crate::api::{AccountState, Caller, Commands, Connection, Event, Failure, FailureCode, Tag, dispatch};
use crate::files::Files;
use crate::runner::Poke;
use chrono::{DateTime, Utc};
use meantime_model::AccountId;
use meantime_platform::secrets::Safe;
use meantime_platform::{Clock, Notifier, Wakes};
use meantime_store::{Read, Store, StoreError, Tx};
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Events a listener may fall behind before it is told that it missed some.
const EVENT_BACKLOG: usize = 256;

/// The running app. Cheap to share; answers commands side by side.
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) safe: Arc<Safe>,
    pub(crate) adapters: Arc<dyn Adapters>,
    pub(crate) sample_dir: PathBuf,
    pub(crate) files: Arc<Files>,
    pub(crate) downloads: Option<PathBuf>,
    pub(crate) background: bool,
    /// Something scheduled was added or moved.
    pub(crate) reschedule: Notify,
    /// A notice waits to be shown.
    pub(crate) notices: Notify,
    pub(crate) live: Mutex<Live>,
    /// A command may have put something into the outbox.
    pub(crate) changed: AtomicBool,
    /// Held from showing notifications until it is noted that they are shown.
    pub(crate) showing: tokio::sync::Mutex<()>,
    /// Held while a team is joined: one at a time.
    pub(crate) joining: tokio::sync::Mutex<()>,
    /// Whoever begins to follow the team.
    pub(crate) following: tokio::sync::Mutex<()>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    events: broadcast::Sender<Event>,
}

/// What is only true while the engine runs.
pub(crate) struct Live {
    pub(crate) accounts: HashMap<AccountId, RunningAccount>,
    pub(crate) connection: Connection,
    /// Why notifications can't be shown.
    pub(crate) notifications: Option<String>,
    pub(crate) sync: Option<crate::team_sync::RunningSync>,
    pub(crate) sample: Option<crate::sample::SampleServer>,
    pub(crate) block_started: Option<crate::focus::Observed>,
}

/// The task of an account.
pub(crate) struct RunningAccount {
    pub(crate) poke: Poke,
    pub(crate) stop: CancellationToken,
    pub(crate) state: AccountState,
}

impl Engine {
    /// Starts: what was due while nothing ran is caught up with first (a
    /// block that ended, a snooze that is over), then the accounts and the
    /// team are followed.
    pub async fn start(setup: Setup) -> Result<Arc<Self>, Failure> {
        let Setup { store, clock, notifier, safe, adapters, wakes, sample_dir, files_dir, downloads, background } =
            setup;
        let engine = Arc::new(Self {
            store,
            clock,
            notifier,
            safe,
            adapters,
            sample_dir,
            files: Arc::new(Files::new(files_dir)),
            downloads,
            background,
            reschedule: Notify::new(),
            notices: Notify::new(),
            live: Mutex::new(Live {
                accounts: HashMap::new(),
                connection: Connection::None,
                notifications: None,
                sync: None,
                sample: None,
                block_started: None,
            }),
            changed: AtomicBool::new(false),
            showing: tokio::sync::Mutex::new(()),
            joining: tokio::sync::Mutex::new(()),
            following: tokio::sync::Mutex::new(()),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            events: broadcast::channel(EVENT_BACKLOG).0,
        });
        engine.catch_up().await?;
        engine.sweep_files().await;
        engine.changed.store(false, Ordering::Relaxed);
        if background {
            engine.clone().start_background(wakes).await?;
        }
        Ok(engine)
    }

    async fn start_background(self: Arc<Self>, wakes: Wakes) -> Result<(), Failure> {
        self.tasks.spawn(crate::schedule::run(self.clone(), wakes));
        self.tasks.spawn(crate::notices::show_pending(self.clone()));
        self.tasks.spawn(crate::notices::hear(self.clone()));
        self.tasks.spawn(follow_secrets(self.clone()));
        self.start_accounts().await?;
        let engine = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = engine.stop.cancelled() => {}
                () = engine.resume_team() => {}
            }
        });
        Ok(())
    }

    /// Ends all tasks; what they had not committed will be done again.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let sample = self.live().sample.take();
        if let Some(sample) = sample {
            sample.stop().await;
        }
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Asks whoever draws to show something.
    pub fn show(&self, what: crate::api::Target) {
        let _ = self.events.send(Event::Show { what });
    }

    /// Tells everybody what is stale.
    pub(crate) fn tell(&self, tags: &[Tag]) {
        let _ = self.events.send(Event::Changed { tags: tags.to_vec() });
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Never held across an await.
    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the database, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Read<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let store = self.store.clone();
        blocking(move || store.read(f)).await
    }

    /// One transaction, off the async threads, flushed to disk before it returns.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let store = self.store.clone();
        blocking(move || store.write(f)).await
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new(FailureCode::Internal, "the engine is stopping")),
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the database failed");
        Self::new(FailureCode::Internal, error.to_string())
    }
}

/// A keyring may be unlocked long after the start.
async fn follow_secrets(engine: Arc<Engine>) {
    let mut kept = engine.safe.changes();
    tokio::select! {
        () = engine.stop.cancelled() => return,
        again = engine.in_memory_again() => if let Err(error) = again {
            tracing::error!(%error, "passwords can't be kept in memory");
        }
    }
    loop {
        tokio::select! {
            () = engine.stop.cancelled() => return,
            changed = kept.changed() => match changed {
                Ok(()) => {
                    engine.tell(&[Tag::Status]);
                    engine.retry_accounts().await;
                }
                Err(_) => return,
            },
        }
    }
}

#[async_trait::async_trait]
impl Caller for Arc<Engine> {
    async fn call(&self, name: &str, args: Value) -> Result<Value, Failure> {
        dispatch(self as &dyn Commands, name, args).await
    }
}

impl crate::socket::Host for Arc<Engine> {
    fn events(&self) -> broadcast::Receiver<Event> {
        Engine::events(self)
    }
}
