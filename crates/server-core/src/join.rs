//! Invites, and coming in with one: somebody new, somebody who was removed,
//! or a further device of somebody who is there.

use crate::access::{active_role, administers, rules_over};
use crate::audit::{Event, by, entry};
use crate::core::{TRIES, agreement_key, busy, failed, internal, invite_invalid, made};
use crate::limits::{DEVICE_LINK, DEVICES_PER_PERSON, INVITE_HOURS, INVITES_PER_PERSON};
use crate::rules::name_of_person;
use crate::storage::{AuditEntry, Batch, Change, Commit, Device, Invite, Storage, Token};
use crate::{Actor, By, Core, Key, Row, Secret, SecretHash, TeamScope};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::{DeviceId, PersonId};
use meantime_protocol::http::{InviteRequest, JoinRequest, JoinResponse};
use meantime_protocol::kinds::Role;
use meantime_protocol::people::MemberLinkRequest;
use meantime_protocol::{Code, Kind, Problem, Record, Scope};
use serde_json::json;

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

/// What an invite shall be.
struct Wanted {
    role: Role,
    person: Option<PersonId>,
    life: TimeDelta,
    noted: AuditEntry,
}

/// A device to be, and the secret for its holder.
pub(crate) struct NewDevice {
    pub device: Device,
    pub token: Token,
    pub secret: Secret,
}

impl<S: Storage> Core<S> {
    /// Makes an invite; for whoever runs the server.
    ///
    /// # Errors
    /// `invalid` for hours out of range, `not_found` for a team that is none.
    pub async fn invite(&self, team: TeamScope, request: &InviteRequest) -> Result<NewInvite, Problem> {
        self.invite_by(By::Operator(team), request).await
    }

    /// Makes an invite as a person of the team.
    ///
    /// # Errors
    /// `forbidden` for who may not, `limit_reached` when too many wait, and
    /// those of [`Core::invite`].
    pub async fn invite_as(&self, actor: &Actor, request: &InviteRequest) -> Result<NewInvite, Problem> {
        if !actor.administers() || !rules_over(actor.role, request.role) {
            return Err(Problem::new(Code::Forbidden, "owners and admins invite; only an owner invites an owner"));
        }
        self.invite_by(By::Member(actor), request).await
    }

    /// Makes a link with which somebody adds a further device of their own.
    ///
    /// # Errors
    /// `limit_reached` when too many wait.
    pub async fn device_link(&self, actor: &Actor) -> Result<NewInvite, Problem> {
        let noted = entry(self.now(), Event::DeviceLinkMade, Some(actor.person.0));
        let wanted = Wanted { role: actor.role, person: Some(actor.person), life: DEVICE_LINK, noted };
        self.keep_invite(By::Member(actor), wanted).await
    }

    /// Makes a link whose bearer becomes a certain person: one who was removed
    /// comes back, one who lost all devices gets one.
    ///
    /// # Errors
    /// `not_found` for who was never in the team, `forbidden` for who may not
    /// and for somebody who has a device (they make a link themselves; with
    /// another's, somebody else would read what is theirs alone), `invalid` for
    /// another role of somebody who is in the team.
    pub async fn member_link(
        &self,
        who: By<'_>,
        person: PersonId,
        request: &MemberLinkRequest,
    ) -> Result<NewInvite, Problem> {
        let allowed = |role| who.actor().is_none_or(|actor| rules_over(actor.role, role));
        if who.actor().is_some_and(|actor| !actor.administers()) {
            return Err(Problem::new(Code::Forbidden, "owners and admins make such links"));
        }
        let row = self.member(who.team(), person).await?.ok_or_else(not_there)?;
        let was = named_role(&row);
        let role = request.role.unwrap_or(was);
        if active_role(&row).is_some_and(|is| is != role) {
            return Err(Problem::new(Code::Invalid, "they are in the team; their role is changed by itself"));
        }
        if !allowed(was) || !allowed(role) {
            return Err(Problem::new(Code::Forbidden, "only an owner decides about owners"));
        }
        if who.actor().is_some() && !self.storage.devices(who.team(), person).await.map_err(failed)?.is_empty() {
            let message = "they have a device, on which they make such a link themselves; \
                           a device they lost is ended first";
            return Err(Problem::new(Code::Forbidden, message));
        }
        let noted = entry(self.now(), Event::DeviceLinkMade, Some(person.0));
        let life = TimeDelta::hours(i64::from(INVITE_HOURS));
        self.keep_invite(who, Wanted { role, person: Some(person), life, noted }).await
    }

    /// Turns an invite into a person and their first device, or into a further
    /// device of the person it is for.
    ///
    /// # Errors
    /// `invite_invalid`, the same for unknown, used and expired ones;
    /// `invalid` names; `limit_reached` for a person with too many devices.
    pub async fn join(&self, request: &JoinRequest) -> Result<JoinResponse, Problem> {
        let device_name = name_of_person("the device's name", &request.device_name)?;
        for _ in 0..TRIES {
            let now = self.now();
            let invite = self.storage.invite(SecretHash::of(&request.secret)).await.map_err(failed)?;
            let invite = invite.filter(|i| !i.used && i.expires_at > now).ok_or_else(invite_invalid)?;
            let team = TeamScope::operator(invite.team);
            let access = self.storage.access(team).await.map_err(failed)?;
            let mut batch = Batch { at: now, access: Some(access), ..Batch::default() };
            self.still_good(team, &invite, &mut batch).await?;
            batch.changes.push(Change::UseInvite(invite.secret));
            let person = invite.person.unwrap_or_else(PersonId::new);
            let fresh = new_device(team, person, &device_name, now)?;
            let actor = Actor {
                person,
                team: invite.team,
                device: fresh.device.id,
                role: invite.role,
                circles: [].as_slice().into(),
            };
            let event = match invite.person {
                None => self.newcomer(&actor, &request.name, &mut batch).await?,
                Some(_) => self.comes_back(&actor, &invite, &request.name, &mut batch).await?,
            };
            batch.audit.push(by(Some(&actor), entry(now, event, Some(person.0))));
            batch.changes.push(Change::AddDevice(fresh.device, fresh.token));
            match self.carry_out(team, batch).await.map_err(failed)? {
                Commit::Stale => continue,
                Commit::InviteGone => return Err(invite_invalid()),
                Commit::Done(_) => {}
            }
            let (team_name, token) = (self.team_name(team).await?, fresh.secret.reveal());
            return Ok(JoinResponse { person, team: invite.team, team_name, device: actor.device, token });
        }
        Err(busy())
    }

    pub(crate) async fn member(&self, team: TeamScope, person: PersonId) -> Result<Option<Row>, Problem> {
        self.one(team, &member_key(team, person)).await
    }

    /// Refuses a person's device too many.
    pub(crate) async fn room_for_a_device(&self, team: TeamScope, person: PersonId) -> Result<(), Problem> {
        if self.storage.devices(team, person).await.map_err(failed)?.len() < DEVICES_PER_PERSON {
            return Ok(());
        }
        let message = format!("one person has at most {DEVICES_PER_PERSON} devices; take one off the list first");
        Err(Problem::new(Code::LimitReached, message))
    }

    async fn invite_by(&self, who: By<'_>, request: &InviteRequest) -> Result<NewInvite, Problem> {
        if !(1..=INVITE_HOURS).contains(&request.valid_hours) {
            return Err(Problem::new(Code::Invalid, format!("an invite is valid for 1 to {INVITE_HOURS} hours")));
        }
        let role = request.role;
        let noted = AuditEntry { note: role_text(role), ..entry(self.now(), Event::InviteMade, None) };
        let life = TimeDelta::hours(i64::from(request.valid_hours));
        self.keep_invite(who, Wanted { role, person: None, life, noted }).await
    }

    async fn keep_invite(&self, who: By<'_>, wanted: Wanted) -> Result<NewInvite, Problem> {
        let Wanted { role, person, life, noted } = wanted;
        let (team, now) = (who.team(), self.now());
        let team_name = self.team_name(team).await?;
        let maker = who.actor().map(|actor| actor.person);
        let (secret, expires_at) = (Secret::invite().map_err(|e| internal(&e))?, now + life);
        let invite =
            Invite { secret: secret.hash(), team: team.id(), role, expires_at, used: false, by: maker, person };
        let (changes, audit) = (vec![Change::AddInvite(invite)], vec![by(who.actor(), noted)]);
        let batch = Batch { at: now, changes, audit, ..Batch::default() };
        for _ in 0..TRIES {
            let mut batch = batch.clone();
            if let Some(actor) = who.actor() {
                // Of two that are made at once, the second is counted anew, and
                // a device that is ended meanwhile makes none.
                batch.access = Some(self.storage.access(team).await.map_err(failed)?);
                self.still_known(actor).await?;
                let open = self.storage.invites(team, now).await.map_err(failed)?;
                if open.iter().filter(|invite| invite.by == maker).count() >= INVITES_PER_PERSON {
                    let message = format!("{INVITES_PER_PERSON} of your invites wait to be used already");
                    return Err(Problem::new(Code::LimitReached, message));
                }
            }
            if let Commit::Done(_) = self.carry_out(team, batch).await.map_err(failed)? {
                return Ok(NewInvite { secret, expires_at, team_name });
            }
        }
        Err(busy())
    }

    /// Refuses an invite whose maker might not make it any more.
    async fn still_good(&self, team: TeamScope, invite: &Invite, batch: &mut Batch) -> Result<(), Problem> {
        let Some(maker) = invite.by else { return Ok(()) };
        let row = self.member(team, maker).await?.ok_or_else(invite_invalid)?;
        let role = active_role(&row).ok_or_else(invite_invalid)?;
        batch.expects.push((row.key(), row.record.seq));
        let own_device = invite.person == Some(maker);
        if own_device || (administers(role) && rules_over(role, invite.role)) {
            return Ok(());
        }
        Err(invite_invalid())
    }

    async fn newcomer(&self, actor: &Actor, name: &str, batch: &mut Batch) -> Result<Event, Problem> {
        let name = name_of_person("the name", name)?;
        let member = json!({"name": name, "role": actor.role});
        batch.writes.push(made(actor, Kind::MEMBER, actor.person.0, &member, batch.at));
        let agreement = agreement_key(actor.team);
        if actor.administers() && self.one(actor.team_scope(), &agreement).await?.is_none() {
            let fields = json!({"team": self.team_name(actor.team_scope()).await?, "windows": {}});
            batch.writes.push(made(actor, Kind::AGREEMENT, actor.team.0, &fields, batch.at));
            batch.expects.push((agreement, 0));
        }
        Ok(Event::Joined)
    }

    async fn comes_back(
        &self,
        actor: &Actor,
        invite: &Invite,
        name: &str,
        batch: &mut Batch,
    ) -> Result<Event, Problem> {
        let (team, person) = (actor.team_scope(), actor.person);
        let row = self.member(team, person).await?.ok_or_else(invite_invalid)?;
        batch.expects.push((row.key(), row.record.seq));
        if active_role(&row).is_some() {
            self.room_for_a_device(team, person).await?;
            // Somebody else made it while there was no device: with one, it
            // would be a second pair of eyes.
            let by_another = invite.by.is_some_and(|by| by != person);
            if by_another && !self.storage.devices(team, person).await.map_err(failed)?.is_empty() {
                return Err(invite_invalid());
            }
            return Ok(Event::DeviceAdded);
        }
        let name = name_of_person("the name", name)?;
        let mut fields = row.record.fields.clone();
        fields.remove("removed_at");
        fields.insert("name".to_owned(), json!(name));
        fields.insert("role".to_owned(), json!(actor.role));
        batch.writes.push(Row { record: Record { fields, updated_at: batch.at, ..row.record.clone() }, ..row });
        Ok(Event::Rejoined)
    }
}

/// A device with a token of its own.
pub(crate) fn new_device(
    team: TeamScope,
    person: PersonId,
    name: &str,
    now: DateTime<Utc>,
) -> Result<NewDevice, Problem> {
    let secret = Secret::token().map_err(|e| internal(&e))?;
    let id = DeviceId::new();
    let device = Device { id, team: team.id(), person, name: name.to_owned(), since: now, seen_at: now };
    let token = Token { hash: secret.hash(), device: id, issued_at: now, used: true, retired_at: None };
    Ok(NewDevice { device, token, secret })
}

pub(crate) fn member_key(team: TeamScope, person: PersonId) -> Key {
    Key { scope: Scope::Team(team.id()), kind: Kind::MEMBER, id: person.0 }
}

/// The role that stands in a `member` record, of somebody who was removed too.
pub(crate) fn named_role(row: &Row) -> Role {
    let role = row.record.fields.get("role").cloned().unwrap_or_default();
    serde_json::from_value(role).unwrap_or(Role::Guest)
}

pub(crate) fn role_text(role: Role) -> String {
    json!(role).as_str().unwrap_or_default().to_owned()
}

pub(crate) fn not_there() -> Problem {
    Problem::new(Code::NotFound, "there is no such person, or not for you")
}
