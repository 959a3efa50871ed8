//! The server without its network: people come in, and are known again.

use crate::clock::whole_millis;
use crate::hub::{Hub, Live};
use crate::limits::{ADDRESSES, PACED, REQUESTS_AT_ONCE, REQUESTS_PER_SECOND, TRIES_FROM_ELSEWHERE};
use crate::pace::Pace;
use crate::password::{Costs, Passwords};
use crate::pokes::Pokes;
use crate::rules::name_of_person;
use crate::seal::{SealKey, Seals};
use crate::storage::{Batch, Commit, Storage, StorageError, Tried};
use crate::tries::Addresses;
use crate::watched::Concerned;
use crate::{Actor, Clock, Key, Row, Run, TeamScope};
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, TeamId};
use meantime_protocol::http::Me;
use meantime_protocol::{Code, Cursor, Fields, Kind, Problem, Record, Scope};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

pub use crate::limits::INVITE_HOURS;

/// How often a decision is made anew because what it stood on moved. Each
/// time somebody else got through, so a caller who is still not is in a
/// crowd that no correct client makes.
pub(crate) const TRIES: usize = 200;

/// The rules at work on a storage. Shared by all requests; holds no state of
/// its own that a restart would miss (how fast each device went just now, and
/// which addresses failed to sign in).
pub struct Core<S> {
    pub(crate) storage: Arc<S>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) held_changed: Arc<Notify>,
    pub(crate) passwords: Passwords,
    pub(crate) seals: Seals,
    pub(crate) addresses: Addresses,
    /// Tries in spite of a login's wait.
    pub(crate) elsewhere: Pace<(TeamId, Tried)>,
    pace: Pace<DeviceId>,
}

impl<S: Storage> Core<S> {
    /// Rules over `storage`, with `clock`'s time.
    pub fn new(storage: S, clock: Arc<dyn Clock>) -> Self {
        Self::with_costs(storage, clock, Costs::default())
    }

    /// The same, hashing passwords at other costs.
    pub fn with_costs(storage: S, clock: Arc<dyn Clock>, costs: Costs) -> Self {
        Self {
            storage: Arc::new(storage),
            clock,
            hub: Arc::default(),
            held_changed: Arc::default(),
            passwords: Passwords::new(costs),
            seals: Seals::default(),
            addresses: Addresses::new(ADDRESSES),
            elsewhere: Pace::a_day(TRIES_FROM_ELSEWHERE, ADDRESSES),
            pace: Pace::new(REQUESTS_AT_ONCE, REQUESTS_PER_SECOND, PACED),
        }
    }

    /// The same, beside other processes on the same storage: `pokes` tells
    /// them of what this one does. [`Core::hear_others`] has to run then.
    #[must_use]
    pub fn beside(self, pokes: Arc<dyn Pokes>) -> Self {
        Self { hub: Arc::new(Hub::new(pokes)), ..self }
    }

    /// The same, sealing what authenticators share with the server. Without a
    /// key nobody gets one, and nobody's code is good.
    #[must_use]
    pub fn sealing(self, key: SealKey) -> Self {
        Self { seals: Seals::with(key), ..self }
    }

    /// Tells the streams here what other processes did, for ever: whoever
    /// runs the server lets it run beside everything else.
    pub async fn hear_others(&self) {
        self.hub.hear(self.storage()).await;
    }

    /// What the rules stand on.
    #[must_use]
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Begins a team; for whoever runs the server.
    ///
    /// # Errors
    /// `invalid` for a name that is none.
    pub async fn found(&self, name: &str) -> Result<TeamId, Problem> {
        let name = name_of_person("the team's name", name)?;
        let team = TeamId::new();
        self.storage.found(TeamScope::operator(team), &name, self.now()).await.map_err(failed)?;
        Ok(team)
    }

    /// Who this is, and where their feeds stand.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn me(&self, actor: &Actor) -> Result<Me, Problem> {
        let epoch = self.storage.epoch().await.map_err(failed)?;
        let scopes = actor.scopes();
        let upto = self.storage.upto(actor.team_scope(), &scopes).await.map_err(failed)?;
        let cursors = upto.into_iter().map(|seq| Cursor { epoch, seq });
        let scopes = scopes.into_iter().zip(cursors).collect();
        Ok(Me { person: actor.person, team: actor.team, device: actor.device, scopes })
    }

    /// Whether this device may send a further request just now.
    ///
    /// # Errors
    /// `slow_down` when it has sent too many.
    pub fn paced(&self, actor: &Actor) -> Result<(), Problem> {
        self.pace.take(actor.device, self.now()).map_err(|seconds| slow_down("this device asks too often", seconds))
    }

    /// This person's stream of pokes.
    #[must_use]
    pub fn live(&self, actor: &Actor) -> Live<S> {
        Live::new(Arc::clone(&self.storage), &self.hub, actor.clone())
    }

    /// How many passwords are hashed or wait for it: for monitoring.
    #[must_use]
    pub fn passwords_queued(&self) -> usize {
        self.passwords.queued()
    }

    /// The present moment by the clock it was given, in whole milliseconds.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        whole_millis(self.clock.now())
    }

    pub(crate) async fn one(&self, team: TeamScope, key: &Key) -> Result<Option<Row>, Problem> {
        let rows = self.storage.get(team, std::slice::from_ref(key)).await.map_err(failed)?;
        Ok(rows.into_iter().next().flatten())
    }

    /// Commits, and tells open streams of it, in a task of its own: what is
    /// committed is told although the caller went away meanwhile.
    pub(crate) async fn carry_out(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError> {
        let (storage, hub) = (Arc::clone(&self.storage), Arc::clone(&self.hub));
        let held_changed = Arc::clone(&self.held_changed);
        let work = tokio::spawn(async move {
            let scopes: Vec<Scope> = batch.writes.iter().map(|row| row.record.scope).collect();
            let concerned: Vec<Concerned> = batch.changes.iter().filter_map(Concerned::by).collect();
            let holds = batch.writes.iter().any(|row| row.held);
            let commit = storage.commit(team, batch).await?;
            if let Commit::Done(seqs) = &commit {
                for concerned in &concerned {
                    hub.concerns(team.id(), concerned);
                }
                let upto: BTreeMap<Scope, u64> = scopes.into_iter().zip(seqs.iter().copied()).collect();
                for (scope, seq) in upto {
                    hub.moved(team.id(), scope, seq);
                }
                if holds {
                    held_changed.notify_one();
                }
            }
            Ok(commit)
        });
        // A panic in it is its request's: nobody knows how far it came.
        work.await.map_err(|error| StorageError::Unsure(error.to_string()))?
    }

    pub(crate) async fn team_name(&self, team: TeamScope) -> Result<String, Problem> {
        let agreement = self.one(team, &agreement_key(team.id())).await?;
        let named = agreement.and_then(|row| row.record.fields.get("team").and_then(Value::as_str).map(str::to_owned));
        match named {
            Some(name) => Ok(name),
            None => {
                let team = self.storage.team(team).await.map_err(failed)?;
                team.map(|t| t.name).ok_or_else(|| Problem::new(Code::NotFound, "there is no such team"))
            }
        }
    }
}

pub(crate) fn agreement_key(team: TeamId) -> Key {
    Key { scope: Scope::Team(team), kind: Kind::AGREEMENT, id: team.0 }
}

/// A record that the server makes in somebody's name.
pub(crate) fn made(actor: &Actor, kind: Kind, id: uuid::Uuid, fields: &Value, now: DateTime<Utc>) -> Row {
    Row {
        held: false,
        run: Run { device: actor.device, base: 0 },
        decided_by: None,
        record: Record {
            scope: Scope::Team(actor.team),
            kind,
            id,
            seq: 0,
            author: actor.person,
            deleted: false,
            visible_from: None,
            created_at: now,
            updated_at: now,
            fields: fields.as_object().cloned().unwrap_or_else(Fields::new),
        },
    }
}

pub(crate) fn invite_invalid() -> Problem {
    Problem::new(Code::InviteInvalid, "this invite is not known, was used already or has expired; ask for a new one")
}

pub(crate) fn slow_down(message: &str, seconds: u32) -> Problem {
    let message = format!("{message}; try again in {seconds} s");
    Problem { retry_after: Some(seconds), ..Problem::new(Code::SlowDown, message) }
}

pub(crate) fn busy() -> Problem {
    Problem { retry_after: Some(1), ..Problem::new(Code::Busy, "the server is too busy; it will be tried again") }
}

/// The storage failed: said in the log, kept from the client.
pub(crate) fn failed(error: StorageError) -> Problem {
    match error {
        StorageError::Busy => busy(),
        StorageError::Unsure(_) => {
            tracing::warn!(%error, "a request may or may not have been carried out");
            Problem {
                message: "the server lost its database in the middle of this; it may have been carried out".into(),
                ..busy()
            }
        }
        StorageError::Failed(_) => internal(&error),
    }
}

pub(crate) fn internal(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a request failed");
    Problem::new(Code::Internal, "the server has a problem of its own; nothing was changed")
}
