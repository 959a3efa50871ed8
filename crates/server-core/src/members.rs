//! Who is in the team and what they may do: changing roles, removing people.
//! A removed person's record stays, with `removed_at`, so that what they wrote
//! keeps their name.

use crate::access::{active_role, rules_over};
use crate::audit::{Event, by, entry};
use crate::core::{TRIES, busy, failed};
use crate::join::{named_role, not_there, role_text};
use crate::rules::{circle_without, space_key};
use crate::storage::{AuditEntry, Batch, Change, Commit, Storage};
use crate::{By, Core, Row, TeamScope};
use chrono::{DateTime, Utc};
use meantime_model::PersonId;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Kind, Problem, Record, Scope};
use serde_json::json;

/// Rows read at once.
const PAGE: usize = 1000;

/// Somebody who is or was in the team, for whoever runs the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: PersonId,
    /// As teammates see it.
    pub name: String,
    /// What they may do, or might.
    pub role: Role,
    /// Not in the team any more, since then.
    pub removed_at: Option<DateTime<Utc>>,
    /// What they sign in with, if they chose a password.
    pub login: Option<String>,
    /// How many devices they have.
    pub devices: usize,
}

impl<S: Storage> Core<S> {
    /// Everybody who is or was in the team, in the order in which they joined;
    /// for whoever runs the server.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn people(&self, team: TeamScope) -> Result<Vec<Person>, Problem> {
        let mut people = Vec::new();
        for row in self.members(team).await? {
            let id = PersonId(row.record.id);
            let login = self.storage.account(team, id).await.map_err(failed)?.map(|account| account.login);
            let devices = self.storage.devices(team, id).await.map_err(failed)?.len();
            let text = |field: &str| row.record.fields.get(field).and_then(|value| value.as_str());
            let name = text("name").unwrap_or_default().to_owned();
            let removed_at = text("removed_at").and_then(|at| at.parse().ok());
            people.push(Person { id, name, role: named_role(&row), removed_at, login, devices });
        }
        Ok(people)
    }

    /// Changes what somebody may do. Owners and admins do; only an owner makes
    /// an owner or unmakes one, and the last one stays. Who is a guest sees
    /// another team than the others, so that is not changed: they are removed
    /// and come back with a new link.
    ///
    /// # Errors
    /// `not_found` for who is not in the team, `forbidden`, `invalid`.
    pub async fn set_role(&self, who: By<'_>, person: PersonId, role: Role) -> Result<(), Problem> {
        let team = who.team();
        for _ in 0..TRIES {
            let now = self.now();
            let (row, is, mut batch) = self.decision(who, person, Some(role)).await?;
            if is == role {
                return Ok(());
            }
            if (is == Role::Guest) != (role == Role::Guest) {
                let message = "a guest sees another team: remove them, and let them come back with a new link";
                return Err(Problem::new(Code::Invalid, message));
            }
            if is == Role::Owner {
                self.another_owner(team, person, &mut batch).await?;
            }
            let noted = entry(now, Event::RoleChanged, Some(person.0));
            let note = format!("{} → {}", role_text(is), role_text(role));
            batch.audit.push(by(who.actor(), AuditEntry { note, ..noted }));
            batch.writes.push(with_field(row, "role", json!(role), now));
            if let Commit::Done(_) = self.carry_out(team, batch).await.map_err(failed)? {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Takes somebody out of the team: they are in no circle any more, their
    /// devices are ended, nothing of the team is theirs to read. Anybody may
    /// leave by themselves; the last owner stays.
    ///
    /// # Errors
    /// `not_found` for who is not in the team, `forbidden`.
    pub async fn remove(&self, who: By<'_>, person: PersonId) -> Result<(), Problem> {
        let team = who.team();
        for _ in 0..TRIES {
            let now = self.now();
            let (row, is, mut batch) = self.decision(who, person, None).await?;
            if is == Role::Owner {
                self.another_owner(team, person, &mut batch).await?;
            }
            for device in self.storage.devices(team, person).await.map_err(failed)? {
                batch.changes.push(Change::RemoveDevice(device.id));
            }
            batch.changes.extend([Change::RemoveAccount(person), Change::DropInvites(person)]);
            let circles = self.storage.circles(team, &[person]).await.map_err(failed)?.into_iter().flatten();
            let keys: Vec<_> = circles.map(space_key).collect();
            for space in self.storage.get(team, &keys).await.map_err(failed)?.into_iter().flatten() {
                batch.expects.push((space.key(), space.record.seq));
                let (space, circle, members) = circle_without(space, person, now);
                batch.changes.push(Change::Circle { circle, members });
                batch.writes.push(space);
            }
            batch.writes.push(with_field(row, "removed_at", json!(now), now));
            batch.audit.push(by(who.actor(), entry(now, Event::Removed, Some(person.0))));
            if let Commit::Done(_) = self.carry_out(team, batch).await.map_err(failed)? {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Somebody's record and role, and a batch that relies on them and on
    /// whoever decides still being allowed to; `towards`: the role they shall
    /// have.
    async fn decision(
        &self,
        who: By<'_>,
        person: PersonId,
        towards: Option<Role>,
    ) -> Result<(Row, Role, Batch), Problem> {
        let team = who.team();
        let access = self.storage.access(team).await.map_err(failed)?;
        let mut batch = Batch { at: self.now(), access: Some(access), ..Batch::default() };
        let row = self.member(team, person).await?;
        let is = row.as_ref().and_then(active_role);
        if let Some(actor) = who.actor() {
            self.still_known(actor).await?;
            let own = self.member(team, actor.person).await?.ok_or_else(not_there)?;
            let role = active_role(&own).ok_or_else(crate::devices::unauthorized)?;
            batch.expects.push((own.key(), own.record.seq));
            let leaves = actor.person == person && towards.is_none();
            let rules = |other| rules_over(role, other);
            if !leaves && !crate::access::administers(role) {
                return Err(Problem::new(Code::Forbidden, "owners and admins decide about people"));
            }
            if !leaves && (is.is_some_and(|is| !rules(is)) || towards.is_some_and(|role| !rules(role))) {
                return Err(Problem::new(Code::Forbidden, "only an owner decides about owners"));
            }
        }
        let (Some(row), Some(is)) = (row, is) else { return Err(not_there()) };
        batch.expects.push((row.key(), row.record.seq));
        Ok((row, is, batch))
    }

    /// Relies on there being an owner besides somebody.
    async fn another_owner(&self, team: TeamScope, besides: PersonId, batch: &mut Batch) -> Result<(), Problem> {
        let mut members = self.members(team).await?.into_iter();
        let other = members.find(|row| row.record.id != besides.0 && active_role(row) == Some(Role::Owner));
        let other = other.ok_or_else(|| {
            Problem::new(Code::Forbidden, "they are the last owner; make somebody else an owner first")
        })?;
        batch.expects.push((other.key(), other.record.seq));
        Ok(())
    }

    async fn members(&self, team: TeamScope) -> Result<Vec<Row>, Problem> {
        let (mut rows, mut after): (Vec<Row>, _) = (Vec::new(), None);
        loop {
            let scope = Scope::Team(team.id());
            let page = self.storage.rows(team, scope, &Kind::MEMBER, after, PAGE).await.map_err(failed)?;
            let more = page.len() == PAGE;
            rows.extend(page);
            after = rows.last().map(|row| row.record.id);
            if !more {
                return Ok(rows);
            }
        }
    }
}

fn with_field(row: Row, name: &str, value: serde_json::Value, now: DateTime<Utc>) -> Row {
    let mut record = Record { updated_at: now, ..row.record };
    record.fields.insert(name.to_owned(), value);
    Row { record, ..row }
}
