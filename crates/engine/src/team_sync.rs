//! The team server and this device: a task that keeps them the same, and the
//! store as sync sees it.

use crate::accounts::secret_name;
use crate::api::{AccountState, Connection, Failure, FailureCode, Tag};
use crate::dues;
use crate::engine::Engine;
use crate::people::{self, TeamConfig};
use chrono::{DateTime, Utc};
use meantime_model::AccountId;
use meantime_model::zone::Zone;
use meantime_platform::{Clock, Secrets as _};
use meantime_protocol::http::{BootstrapPage, JoinResponse, Op, OpResult, PullPage};
use meantime_protocol::{Invite, Scope};
use meantime_store::team::{self, Applied};
use meantime_store::{Store, Tx, account, item, scope};
use meantime_sync::{Credentials, Feed, HttpRemote, Log, Pin, RemoteError, State, Syncer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// A lone command waits so long for the server.
const ONCE: Duration = Duration::from_secs(10);

/// The task that follows the team.
pub(crate) struct RunningSync {
    wake: Arc<Notify>,
    stop: CancellationToken,
}

/// Asks a server to make an invite into a person and a device.
pub(crate) async fn join(invite: &Invite, name: &str) -> Result<JoinResponse, Failure> {
    Ok(meantime_sync::join(invite, name, &device_name()).await?)
}

/// What this computer is called in the person's list of devices.
fn device_name() -> String {
    let name = ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|key| std::env::var(key).ok());
    let name = name.or_else(|| std::fs::read_to_string("/etc/hostname").ok()).unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(60).collect();
    if name.is_empty() { format!("a {} computer", std::env::consts::OS) } else { name }
}

/// The team's state as one of the accounts.
pub(crate) fn account_state(connection: &Connection) -> AccountState {
    match connection {
        Connection::None | Connection::Connecting => AccountState::New,
        Connection::Live => AccountState::Fine,
        Connection::Offline { since, message } => AccountState::Retrying { message: message.clone(), at: *since },
        Connection::Refused { message } => AccountState::NeedsYou { password: false, message: message.clone() },
    }
}

impl Engine {
    /// Follows the team, if there is one: its sample server is started first.
    pub(crate) async fn resume_team(self: &Arc<Self>) {
        if let Err(failure) = self.follow_team().await {
            tracing::warn!(%failure, "the team can't be followed");
            self.set_connection(Connection::Refused { message: failure.message });
        }
    }

    async fn follow_team(self: &Arc<Self>) -> Result<(), Failure> {
        let (row, config) = self.read(|db| Ok((people::team_account(db)?, people::config(db)?))).await?;
        let (Some(row), Some(config)) = (row, config) else { return Ok(()) };
        if config.sample && self.live().sample.is_none() {
            self.resume_sample().await?;
        }
        let (syncer, mut arrivals, wake) = self.syncer(row.id, config).await?;
        if !self.background {
            let once = tokio::time::timeout(ONCE, syncer.once()).await;
            if let Ok(Err(message)) = once {
                tracing::info!(message, "the team server was not reached; what waits is sent later");
            }
            return Ok(());
        }
        let stop = self.stop.child_token();
        let running = RunningSync { wake, stop: stop.clone() };
        if let Some(before) = self.live().sync.replace(running) {
            before.stop.cancel();
        }
        let engine = self.clone();
        self.tasks.spawn(async move {
            let mut state = syncer.state();
            let hear = async {
                loop {
                    tokio::select! {
                        changed = state.changed() => {
                            if changed.is_err() {
                                return;
                            }
                            let now = state.borrow_and_update().clone();
                            engine.sync_is(row.id, now).await;
                        }
                        Some(applied) = arrivals.recv() => engine.team_arrived(applied).await,
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = syncer.run() => {}
                () = hear => {}
            }
        });
        Ok(())
    }

    #[allow(clippy::type_complexity)]
    async fn syncer(
        self: &Arc<Self>,
        account: AccountId,
        config: TeamConfig,
    ) -> Result<(Syncer<TeamLog, HttpRemote>, mpsc::UnboundedReceiver<Applied>, Arc<Notify>), Failure> {
        let token = self.safe.get(&secret_name(account)).await?;
        let missing =
            "this device's sign-in for the team is gone from the keyring: ask for a new invite and join again";
        let token = token.ok_or_else(|| Failure::new(FailureCode::Auth, missing))?;
        let pin = config.ca.as_deref().map(pin).transpose()?;
        let credentials = Credentials { host: config.host.clone(), pin, device: config.device, token };
        let remote = HttpRemote::new(credentials)?;
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let wake = Arc::new(Notify::new());
        let log = TeamLog {
            store: self.store.clone(),
            clock: self.clock.clone(),
            computer: self.computer_zone(),
            account,
            config,
            arrived,
        };
        Ok((Syncer::new(Arc::new(log), remote, wake.clone()), arrivals, wake))
    }

    async fn sync_is(self: &Arc<Self>, account: AccountId, state: State) {
        let connection = match state {
            State::Connecting => Connection::Connecting,
            State::Live => Connection::Live,
            State::Refused(message) => Connection::Refused { message },
            State::Offline(message) => {
                let since = match &self.live().connection {
                    Connection::Offline { since, .. } => *since,
                    _ => self.now(),
                };
                Connection::Offline { since, message }
            }
        };
        if connection == Connection::Live {
            let now = self.now();
            let _ = self.write(move |tx| Ok(account::set_checked(tx, account, now)?)).await;
        }
        self.set_connection(connection);
    }

    fn set_connection(&self, connection: Connection) {
        self.live().connection = connection;
        self.tell(&[Tag::Status, Tag::Accounts]);
    }

    /// A page of the team's feed, or the outcome of a push, was stored.
    async fn team_arrived(self: &Arc<Self>, applied: Applied) {
        if applied.team_changed || applied.hours_changed {
            self.tell(&[Tag::Team, Tag::Status, Tag::Settings]);
        }
        self.after_arrival(&applied.touched).await;
    }

    /// Something may wait for the team server.
    pub(crate) fn poke_sync(&self) {
        if let Some(sync) = &self.live().sync {
            sync.wake.notify_one();
        }
    }

    /// A lone command is through: what it changed goes out now, if it can.
    pub async fn finish(self: &Arc<Self>) {
        if !self.background
            && self.read(|db| Ok(meantime_store::outbox::count_waiting(db, None)? > 0)).await == Ok(true)
        {
            self.resume_team().await;
        }
    }

    /// Follows the team no more.
    pub(crate) async fn leave_team(&self) {
        let (sync, sample) = {
            let mut live = self.live();
            live.connection = Connection::None;
            (live.sync.take(), live.sample.take())
        };
        if let Some(sync) = sync {
            sync.stop.cancel();
        }
        if let Some(sample) = sample {
            sample.stop().await;
        }
    }
}

/// The store, as sync sees it. New messages are judged in the transaction
/// that brings them.
struct TeamLog {
    store: Store,
    clock: Arc<dyn Clock>,
    computer: Zone,
    account: AccountId,
    config: TeamConfig,
    arrived: mpsc::UnboundedSender<Applied>,
}

impl TeamLog {
    fn eyes(&self, now: DateTime<Utc>) -> team::Team {
        team::Team { account: self.account, me: self.config.person, now }
    }

    /// Applies something in one transaction, and tells what it changed once
    /// that is through.
    fn apply_with(&self, f: impl FnOnce(&Tx<'_>, &team::Team) -> Result<Applied, Failure>) -> Result<(), Failure> {
        let now = self.clock.now();
        let applied = self.store.write_bulk(|tx| {
            let applied = f(tx, &self.eyes(now))?;
            if applied.hours_changed {
                item::set_all_due_stale(tx)?;
            }
            dues::settle(tx, self.computer)?;
            if applied.fresh.iter().any(|fresh| fresh.alert) {
                let judge = crate::intake::Judge::read(tx, now)?;
                for fresh in &applied.fresh {
                    judge.take(tx, fresh.item, fresh.key, fresh.alert)?;
                }
            }
            Ok::<_, Failure>(applied)
        })?;
        let _ = self.arrived.send(applied);
        Ok(())
    }
}

impl Log for TeamLog {
    type Error = Failure;

    fn feeds(&self) -> Result<Vec<Feed>, Failure> {
        let feeds = self.store.read(|db| Ok::<_, Failure>(scope::all(db, self.account)?))?;
        Ok(feeds.into_iter().map(|f| Feed { scope: f.scope, cursor: f.cursor, page: f.page }).collect())
    }

    fn follow(&self, scope: Scope) -> Result<(), Failure> {
        self.store.write_bulk(|tx| Ok(scope::add(tx, self.account, scope)?))
    }

    fn forget(&self, scope: Scope) -> Result<(), Failure> {
        self.apply_with(|tx, eyes| Ok(team::forget(tx, eyes, scope)?))
    }

    fn begin_anew(&self, scope: Scope, lost_epoch: bool) -> Result<(), Failure> {
        self.store.write_bulk(|tx| Ok(team::begin_anew(tx, scope, lost_epoch)?))
    }

    fn apply(&self, scope: Scope, page: &PullPage) -> Result<(), Failure> {
        self.apply_with(|tx, eyes| Ok(team::apply_page(tx, eyes, scope, page)?))
    }

    fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), Failure> {
        self.apply_with(|tx, eyes| Ok(team::apply_bootstrap(tx, eyes, scope, page)?))
    }

    fn next_ops(&self) -> Result<Vec<Op>, Failure> {
        let now = self.clock.now();
        self.store.write(|tx| Ok(team::next_ops(tx, self.account, now)?))
    }

    fn settle(&self, results: &[OpResult]) -> Result<(), Failure> {
        self.apply_with(|tx, eyes| {
            let (settled, applied) = team::settle(tx, eyes, results)?;
            for refused in settled.iter().filter(|settled| settled.refused.is_some()) {
                tracing::warn!(what = refused.what, "the team server refused a change");
            }
            Ok(applied)
        })
    }
}

fn pin(hex: &str) -> Result<Pin, Failure> {
    let broken = || Failure::new(FailureCode::Internal, "the team's key in the database can't be read; join again");
    let bytes: Result<Vec<u8>, _> =
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2).unwrap_or("?"), 16)).collect();
    Ok(Pin(bytes.ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(broken)?))
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        let code = match &error {
            RemoteError::Offline(_) | RemoteError::Busy(_) => FailureCode::Offline,
            RemoteError::Certificate(_) => FailureCode::Certificate,
            RemoteError::Unauthorized => FailureCode::Auth,
            RemoteError::Gone | RemoteError::NotFound => FailureCode::NotFound,
            RemoteError::Version | RemoteError::Refused(_) => FailureCode::Refused,
            RemoteError::Protocol(_) => FailureCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}
