//! The server without its network: people come in, and are known again.

use crate::clock::whole_millis;
use crate::hub::{Hub, Live};
use crate::rules::name_of_person;
use crate::storage::{Batch, Commit, Device, Invite, Join, Storage, StorageError};
use crate::{Actor, Clock, Key, Row, Run, Secret, SecretHash, TeamScope};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::http::{InviteRequest, JoinRequest, JoinResponse, Me};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Cursor, Fields, Kind, Problem, Record, Scope};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;

/// How often a decision is made anew because what it stood on moved. Each
/// time somebody else got through, so a caller who is still not is in a
/// crowd that no correct client makes.
pub(crate) const TRIES: usize = 200;

/// Longest life of an invite.
pub const INVITE_HOURS: u32 = 72;

/// The rules at work on a storage. Shared by all requests; holds no state of
/// its own that a restart would lose.
pub struct Core<S> {
    pub(crate) storage: Arc<S>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hub: Hub,
    pub(crate) held_changed: Notify,
}

/// A fresh invite; its secret is not kept.
#[derive(Debug)]
pub struct NewInvite {
    /// For the link.
    pub secret: Secret,
    /// Useless from then on.
    pub expires_at: DateTime<Utc>,
    /// The team's present name.
    pub team_name: String,
}

impl<S: Storage> Core<S> {
    /// Rules over `storage`, with `clock`'s time.
    pub fn new(storage: S, clock: Arc<dyn Clock>) -> Self {
        Self { storage: Arc::new(storage), clock, hub: Hub::default(), held_changed: Notify::new() }
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

    /// Makes an invite; for whoever runs the server.
    ///
    /// # Errors
    /// `invalid` for hours out of range, `not_found` for a team that is none.
    pub async fn invite(&self, team: TeamScope, request: &InviteRequest) -> Result<NewInvite, Problem> {
        if !(1..=INVITE_HOURS).contains(&request.valid_hours) {
            return Err(Problem::new(Code::Invalid, format!("an invite is valid for 1 to {INVITE_HOURS} hours")));
        }
        if request.role == Role::Guest {
            return Err(Problem::new(Code::Invalid, "this server has no closed spaces yet that a guest could be in"));
        }
        let team_name = self.team_name(team).await?;
        let secret = Secret::invite().map_err(|e| internal(&e))?;
        let expires_at = self.now() + TimeDelta::hours(i64::from(request.valid_hours));
        let invite = Invite { secret: secret.hash(), team: team.id(), role: request.role, expires_at, used: false };
        self.storage.add_invite(team, &invite).await.map_err(failed)?;
        Ok(NewInvite { secret, expires_at, team_name })
    }

    /// Makes an invite as a person of the team.
    ///
    /// # Errors
    /// `forbidden` for who may not, and those of [`Core::invite`].
    pub async fn invite_as(&self, actor: &Actor, request: &InviteRequest) -> Result<NewInvite, Problem> {
        if !actor.administers() || (request.role == Role::Owner && actor.role != Role::Owner) {
            return Err(Problem::new(Code::Forbidden, "owners and admins invite; only an owner invites an owner"));
        }
        self.invite(actor.team_scope(), request).await
    }

    /// Turns an invite into a person and their first device.
    ///
    /// # Errors
    /// `invite_invalid`, the same for unknown, used and expired ones; `invalid` names.
    pub async fn join(&self, request: &JoinRequest) -> Result<JoinResponse, Problem> {
        let name = name_of_person("the name", &request.name)?;
        let device_name = name_of_person("the device's name", &request.device_name)?;
        for _ in 0..TRIES {
            let now = self.now();
            let invite = self.storage.invite(SecretHash::of(&request.secret)).await.map_err(failed)?;
            let invite = invite.filter(|i| !i.used && i.expires_at > now).ok_or_else(invite_invalid)?;
            let team = TeamScope::operator(invite.team);
            let token = Secret::token().map_err(|e| internal(&e))?;
            let (person, device) = (PersonId::new(), DeviceId::new());
            let actor = Actor { person, team: invite.team, device, role: invite.role };

            let mut batch = Batch { expects: Vec::new(), ..Batch::default() };
            let member = json!({"name": name, "role": invite.role});
            batch.writes.push(made(&actor, Kind::MEMBER, person.0, &member, now));
            let agreement = agreement_key(invite.team);
            if actor.administers() && self.one(team, &agreement).await?.is_none() {
                let fields = json!({"team": self.team_name(team).await?, "windows": {}});
                batch.writes.push(made(&actor, Kind::AGREEMENT, invite.team.0, &fields, now));
                batch.expects.push((agreement, 0));
            }
            batch.join = Some(Join {
                invite: invite.secret,
                device: Device {
                    id: device,
                    team: invite.team,
                    person,
                    token: token.hash(),
                    name: device_name.clone(),
                    since: now,
                },
            });
            match self.storage.commit(team, batch).await.map_err(failed)? {
                Commit::Stale => continue,
                Commit::InviteGone => return Err(invite_invalid()),
                Commit::Done(seqs) => {
                    let upto = seqs.into_iter().max().unwrap_or_default();
                    self.hub.moved(invite.team, Scope::Team(invite.team), upto);
                }
            }
            let team_name = self.team_name(team).await?;
            return Ok(JoinResponse { person, team: invite.team, team_name, device, token: token.reveal() });
        }
        Err(busy())
    }

    /// Who holds this token.
    ///
    /// # Errors
    /// `unauthorized` when nobody does.
    pub async fn authenticate(&self, token: &str) -> Result<Actor, Problem> {
        let unauthorized =
            || Problem::new(Code::Unauthorized, "this device is not known here; join again with an invite");
        let device = self.storage.device(SecretHash::of(token)).await.map_err(failed)?.ok_or_else(unauthorized)?;
        let team = TeamScope::operator(device.team);
        let key = Key { scope: Scope::Team(device.team), kind: Kind::MEMBER, id: device.person.0 };
        let member = self.one(team, &key).await?.filter(|row| !row.record.deleted).ok_or_else(unauthorized)?;
        let role = member.record.fields.get("role").cloned().unwrap_or_default();
        let role = serde_json::from_value(role).unwrap_or_default();
        Ok(Actor { person: device.person, team: device.team, device: device.id, role })
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

    /// This person's stream of pokes.
    #[must_use]
    pub fn live(&self, actor: &Actor) -> Live<S> {
        Live::new(Arc::clone(&self.storage), &self.hub, *actor)
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

    async fn team_name(&self, team: TeamScope) -> Result<String, Problem> {
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

fn agreement_key(team: TeamId) -> Key {
    Key { scope: Scope::Team(team), kind: Kind::AGREEMENT, id: team.0 }
}

/// A record that the server makes in somebody's name.
fn made(actor: &Actor, kind: Kind, id: uuid::Uuid, fields: &Value, now: DateTime<Utc>) -> Row {
    Row {
        held: false,
        run: Run { device: actor.device, base: 0 },
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

fn invite_invalid() -> Problem {
    Problem::new(Code::InviteInvalid, "this invite is not known, was used already or has expired; ask for a new one")
}

pub(crate) fn busy() -> Problem {
    Problem { retry_after: Some(1), ..Problem::new(Code::Busy, "the server is too busy; it will be tried again") }
}

/// The storage failed: said in the log, kept from the client.
pub(crate) fn failed(error: StorageError) -> Problem {
    match error {
        StorageError::Busy => busy(),
        StorageError::Failed(_) => internal(&error),
    }
}

fn internal(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a request failed");
    Problem::new(Code::Internal, "the server has a problem of its own; nothing was changed")
}
