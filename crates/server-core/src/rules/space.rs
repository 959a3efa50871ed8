//! Circles: who makes one, who comes in and who goes.

use super::{View, conflict, forbidden, invalid, limits};
use crate::access::active_role;
use crate::limits::{CIRCLES_PER_PERSON, MEMBERS_PER_CIRCLE};
use crate::{Actor, Key, Row};
use chrono::{DateTime, Utc};
use meantime_model::PersonId;
use meantime_protocol::http::Op;
use meantime_protocol::kinds::{Role, Space};
use meantime_protocol::{Code, Kind, Problem, Record, Scope};
use serde_json::{Value, json};
use std::collections::HashSet;
use uuid::Uuid;

/// The record of a circle.
#[must_use]
pub fn space_key(circle: Uuid) -> Key {
    Key { scope: Scope::Private(circle), kind: Kind::SPACE, id: circle }
}

/// Who is in a circle, if the row is that of one.
#[must_use]
pub fn members_of(row: &Row) -> Option<Vec<PersonId>> {
    let Record { scope: Scope::Private(circle), kind, id, deleted: false, fields, .. } = &row.record else {
        return None;
    };
    (*kind == Kind::SPACE && id == circle).then(|| listed(fields.get("members")))
}

/// The row of a circle without somebody, with its id and who is left.
#[must_use]
pub fn circle_without(row: Row, person: PersonId, now: DateTime<Utc>) -> (Row, Uuid, Vec<PersonId>) {
    let left: Vec<PersonId> = listed(row.record.fields.get("members")).into_iter().filter(|m| *m != person).collect();
    let mut record = Record { updated_at: now, ..row.record };
    record.fields.insert("members".to_owned(), json!(left));
    let circle = record.id;
    (Row { record, ..row }, circle, left)
}

/// The rows of the team's feed that a guest in the circle shall see anew: a
/// guest's cursor may be past them. Empty where no guest is, or nobody came.
#[must_use]
pub fn introduced(view: &View, actor: &Actor, before: Option<&Row>, members: &[PersonId]) -> Vec<Row> {
    let before: HashSet<PersonId> = before.and_then(members_of).unwrap_or_default().into_iter().collect();
    let member = |person: &PersonId| view.row(&person_key(actor, Kind::MEMBER, *person));
    let guest = |person: &PersonId| member(person).and_then(active_role) == Some(Role::Guest);
    if members.iter().all(|person| before.contains(person)) || !members.iter().any(guest) {
        return Vec::new();
    }
    let of = |person: &PersonId| {
        [Kind::MEMBER, Kind::SCHEDULE, Kind::FOCUS].map(|kind| view.row(&person_key(actor, kind, *person)).cloned())
    };
    members.iter().flat_map(of).flatten().filter(|row| !row.record.deleted).collect()
}

/// The people an op puts into a circle or leaves there.
pub(super) fn named(op: &Op) -> Vec<PersonId> {
    let mut members = listed(op.fields.get("members"));
    members.truncate(MEMBERS_PER_CIRCLE);
    members
}

/// The rows about the people of an op.
pub(super) fn looks_at(actor: &Actor, op: &Op) -> Vec<Key> {
    let kinds = [Kind::MEMBER, Kind::SCHEDULE, Kind::FOCUS];
    let keys = |person: PersonId| kinds.clone().map(|kind| person_key(actor, kind, person));
    named(op).into_iter().flat_map(keys).collect()
}

pub(super) fn may_make(actor: &Actor, op: &Op) -> Result<(), Problem> {
    if op.scope != Scope::Private(op.id) {
        return Err(invalid("a circle's record has the circle's id"));
    }
    if actor.role == Role::Guest {
        return Err(forbidden("a guest is added to circles, and makes none"));
    }
    if listed(op.fields.get("members")).contains(&actor.person) {
        return Ok(());
    }
    Err(invalid("who makes a circle is in it"))
}

pub(super) fn may_change(actor: &Actor, op: &Op, row: &Row) -> Result<(), Problem> {
    if !op.fields.contains_key("members") {
        return Ok(());
    }
    let before: HashSet<PersonId> = members_of(row).unwrap_or_default().into_iter().collect();
    let after: HashSet<PersonId> = listed(op.fields.get("members")).into_iter().collect();
    if before == after {
        return Ok(());
    }
    if !row.stands_on(actor.device, op.base_seq) {
        return Err(conflict("who is in it was changed meanwhile"));
    }
    let others_go = before.difference(&after).any(|person| *person != actor.person);
    if others_go && row.record.author != actor.person {
        return Err(forbidden("who made a circle takes others out of it; you can leave it yourself"));
    }
    if actor.role == Role::Guest && !after.is_subset(&before) {
        return Err(forbidden("a guest adds nobody"));
    }
    Ok(())
}

pub(super) fn check(actor: &Actor, space: &Space, op: &Op, before: Option<&Row>, view: &View) -> Result<(), Problem> {
    limits::name("the title", space.title.as_ref())?;
    if space.members.len() > MEMBERS_PER_CIRCLE {
        return Err(invalid(format!("a circle has at most {MEMBERS_PER_CIRCLE} people")));
    }
    let unique: HashSet<&PersonId> = space.members.iter().collect();
    if unique.len() < space.members.len() {
        return Err(invalid("somebody is in it twice"));
    }
    let before: HashSet<PersonId> = before.and_then(members_of).unwrap_or_default().into_iter().collect();
    if !op.fields.contains_key("members") {
        return Ok(());
    }
    for person in space.members.iter().filter(|person| !before.contains(person)) {
        let member = view.row(&person_key(actor, Kind::MEMBER, *person));
        if member.and_then(active_role).is_none() {
            return Err(invalid("somebody who is added is not in the team"));
        }
        if view.circles_of(*person) >= CIRCLES_PER_PERSON {
            let message = format!("one person is in at most {CIRCLES_PER_PERSON} circles");
            return Err(Problem::new(Code::LimitReached, message));
        }
    }
    Ok(())
}

fn person_key(actor: &Actor, kind: Kind, person: PersonId) -> Key {
    Key { scope: Scope::Team(actor.team), kind, id: person.0 }
}

/// The ids in a list; what is none is left out (and refused when it is checked).
fn listed(members: Option<&Value>) -> Vec<PersonId> {
    let members = members.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    members.iter().filter_map(|id| id.as_str()?.parse().ok()).collect()
}
