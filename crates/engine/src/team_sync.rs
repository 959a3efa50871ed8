//! The team server and this device: a task that keeps them the same, and the
//! store as sync sees it.

use crate::accounts::secret_name;
use crate::api::{AccountState, Connection, Failure, FailureCode, SignInToTeam, Tag};
use crate::engine::Engine;
use crate::people::{self, TeamConfig};
use crate::profile;
use crate::team_log::{Kept, Local, TeamLog};
use meantime_model::{AccountId, TeamId};
use meantime_platform::Secrets as _;
use meantime_protocol::http::JoinResponse;
use meantime_protocol::people::SignInRequest;
use meantime_protocol::{Code, Invite};
use meantime_store::team::Applied;
use meantime_store::{account, outbox};
use meantime_sync::{Handle, HttpRemote, Remote as _, RemoteError, State, Syncer, Token, Tuning};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A lone command waits so long for the server.
const ONCE: Duration = Duration::from_secs(10);
/// And so long where files are to go up.
const ONCE_WITH_FILES: Duration = Duration::from_secs(600);

/// The task that follows the team.
pub(crate) struct RunningSync {
    handle: Handle,
    stop: CancellationToken,
}

/// Asks a server to make an invite into a person and a device.
pub(crate) async fn join(invite: &Invite, name: &str) -> Result<JoinResponse, Failure> {
    Ok(HttpRemote::join(invite, name, &device_name()).await?)
}

/// Asks the team's server whether it has forgotten this device.
///
/// # Errors
/// It can't be told now, say offline.
pub(crate) async fn is_signed_out(config: &TeamConfig, token: String) -> Result<bool, Failure> {
    let remote = HttpRemote::new(&config.host, config.pin()?, &Token::new(token))?;
    match remote.me().await {
        Ok(me) => Ok(me.device != config.device),
        Err(RemoteError::Unauthorized) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Asks a server for a further device of somebody with a password.
pub(crate) async fn sign_in(
    host: &str,
    ca: Option<[u8; 32]>,
    team: Option<TeamId>,
    args: SignInToTeam,
) -> Result<JoinResponse, Failure> {
    let SignInToTeam { login, password, code, .. } = args;
    let totp = code.map(|code| code.chars().filter(|c| !c.is_whitespace()).collect());
    let request = SignInRequest { team, login, password, totp, device_name: device_name() };
    Ok(HttpRemote::sign_in(host, ca, &request).await?)
}

/// The keyring has no token of this device.
pub(crate) fn no_token() -> Failure {
    let message = "this device's sign-in for the team is not kept here any more: sign in again, or ask for a new link";
    Failure::new(FailureCode::Auth, message)
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
        Connection::Offline { since, message } => {
            AccountState::Retrying { message: message.clone(), since: *since, again: None }
        }
        Connection::Refused { message, .. } => AccountState::NeedsYou { password: false, message: message.clone() },
    }
}

impl Engine {
    /// Follows the team, if there is one: its sample server is started first.
    pub(crate) async fn resume_team(self: &Arc<Self>) {
        let _one = self.following.lock().await;
        self.try_to_follow().await;
    }

    async fn try_to_follow(self: &Arc<Self>) {
        if let Err(failure) = self.follow_team().await {
            tracing::warn!(%failure, "the team can't be followed");
            let signed_out = failure.code == FailureCode::Auth;
            self.set_connection(Connection::Refused { message: failure.message, signed_out });
        }
    }

    async fn follow_team(self: &Arc<Self>) -> Result<(), Failure> {
        let (row, config) = self.read(|db| Ok((people::team_account(db)?, people::config(db)?))).await?;
        let (Some(row), Some(config)) = (row, config) else { return Ok(()) };
        if config.sample && self.live().sample.is_none() {
            self.resume_sample().await?;
        }
        let (syncer, handle, mut arrivals) = self.syncer(row.id, config).await?;
        if !self.background {
            // A lone command: until all is here and nothing waits any more, or
            // the time is up.
            let mut live = handle.state();
            let sent = async {
                let _ = live.wait_for(|state| *state == State::Live).await;
                while self.read(move |db| Ok(outbox::count_waiting(db, Some(row.id))? > 0)).await == Ok(true) {
                    handle.nudge();
                    let _ = arrivals.recv().await;
                }
            };
            let mut state = handle.state();
            let in_vain = async {
                while state.changed().await.is_ok() {
                    if matches!(*state.borrow_and_update(), State::Offline { .. } | State::Refused { .. }) {
                        return;
                    }
                }
            };
            let either = async {
                tokio::select! {
                    () = sent => {}
                    () = in_vain => {}
                }
            };
            let patience = if self.files.is_empty() { ONCE } else { ONCE_WITH_FILES };
            syncer.run(async { drop(tokio::time::timeout(patience, either).await) }).await;
            return Ok(());
        }
        let stop = self.stop.child_token();
        let mut state = handle.state();
        let running = RunningSync { handle, stop: stop.clone() };
        if let Some(before) = self.live().sync.replace(running) {
            before.stop.cancel();
        }
        let engine = self.clone();
        self.tasks.spawn(async move {
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
                () = syncer.run(stop.cancelled()) => {}
                () = hear => {}
            }
        });
        Ok(())
    }

    async fn syncer(
        self: &Arc<Self>,
        account: AccountId,
        config: TeamConfig,
    ) -> Result<(Syncer, Handle, mpsc::UnboundedReceiver<Applied>), Failure> {
        let token = self.safe.get(&secret_name(account)).await?;
        let token = token.ok_or_else(no_token)?;
        let place = Arc::new(Kept { safe: self.safe.clone(), store: self.store.clone(), account });
        let remote = HttpRemote::new(&config.host, config.pin()?, &Token::new(token))?;
        let remote = remote.keeping(place, config.token_at);
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let (device, clock) = (config.device, self.clock.clone());
        let log = Arc::new(TeamLog(Arc::new(Local {
            store: self.store.clone(),
            clock: self.clock.clone(),
            computer: self.computer_zone(),
            account,
            config,
            files: self.files.clone(),
            there: Mutex::default(),
            arrived,
        })));
        let (syncer, handle) = Syncer::new(log, Arc::new(remote), device, move || clock.now(), Tuning::default());
        Ok((syncer, handle, arrivals))
    }

    async fn sync_is(self: &Arc<Self>, account: AccountId, state: State) {
        let connection = match state {
            State::Connecting => Connection::Connecting,
            State::Live => Connection::Live,
            State::Offline { since, message } => Connection::Offline { since, message },
            State::Refused { message, signed_out } => Connection::Refused { message, signed_out },
        };
        if connection == Connection::Live {
            let (now, computer) = (self.now(), self.computer_zone());
            let noted = self.write(move |tx| {
                account::set_checked(tx, account, now)?;
                profile::share_own(tx, computer, now)
            });
            if let Err(failure) = noted.await {
                tracing::warn!(%failure, "what is mine could not be told to the team");
            }
            self.poke_sync();
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
        self.sweep_files().await;
        // Taking it in may have made a change of its own: a snooze that ends.
        self.poke_sync();
    }

    /// Something may wait for the team server.
    pub(crate) fn poke_sync(&self) {
        if let Some(sync) = &self.live().sync {
            sync.handle.nudge();
        }
    }

    /// The network or the keyring may be there again, or the person asks. A
    /// team that could not be followed, say while its token was locked up, is
    /// tried again.
    pub(crate) fn sync_now(self: &Arc<Self>) {
        if let Some(sync) = &self.live().sync {
            sync.handle.sync_now();
        } else if self.background {
            let engine = self.clone();
            let follow = async move {
                let _one = engine.following.lock().await;
                if engine.live().sync.is_none() {
                    engine.try_to_follow().await;
                }
            };
            self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(follow));
        }
    }

    /// A lone command is through: what it changed goes out now, if it can.
    pub async fn finish(self: &Arc<Self>) {
        if self.background || !self.changed.swap(false, Ordering::Relaxed) {
            return;
        }
        if self.read(|db| Ok(outbox::count_waiting(db, None)? > 0)).await == Ok(true) {
            self.resume_team().await;
            self.write_back_once().await;
        }
    }

    /// What waits for the mailboxes, once; what does not arrive waits on.
    async fn write_back_once(self: &Arc<Self>) {
        for row in self.read(|db| Ok(account::all(db)?)).await.unwrap_or_default() {
            let id = row.id;
            let waits = self.read(move |db| Ok(outbox::count_waiting(db, Some(id))? > 0)).await == Ok(true);
            if row.kind != account::AccountKind::Imap || !waits {
                continue;
            }
            let sent = async { self.write_back(id, self.open_source(id).await?.as_ref()).await };
            match tokio::time::timeout(ONCE, sent).await {
                Ok(Ok(())) => {
                    if let Some(trouble) = self.trouble_of_writing(id).await {
                        self.set_account_state(id, trouble).await;
                    }
                }
                Ok(Err(error)) => tracing::warn!(account = %id, %error, "what waits could not be sent"),
                Err(_) => tracing::warn!(account = %id, "the server took too long; what waits is sent later"),
            }
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

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        let code = match &error {
            RemoteError::Offline(_) | RemoteError::Busy { .. } => FailureCode::Offline,
            RemoteError::Certificate(_) => FailureCode::Certificate,
            RemoteError::Unauthorized => FailureCode::Auth,
            RemoteError::Gone => FailureCode::NotFound,
            RemoteError::Refused(problem) => match problem.code {
                Code::NotFound => FailureCode::NotFound,
                Code::Invalid => FailureCode::Invalid,
                Code::SignInFailed => FailureCode::Auth,
                Code::TotpNeeded => FailureCode::CodeNeeded,
                _ => FailureCode::Refused,
            },
            RemoteError::Version(_) => FailureCode::Refused,
            _ => FailureCode::Internal,
        };
        let message = match error {
            // After wrong passwords as well: then nothing is busy.
            RemoteError::Busy { retry_after: Some(after) } => {
                let seconds = match after.as_secs() {
                    0 | 1 => "1 second".to_owned(),
                    more => format!("{more} seconds"),
                };
                format!("too many tries, or too much to do at the server: try again in {seconds}")
            }
            error => error.to_string(),
        };
        Self::new(code, message)
    }
}
