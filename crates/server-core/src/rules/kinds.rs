//! What each kind of record allows, and what its fields must be.

use super::{View, attachments, conflict, forbidden, invalid, limits, not_found, space, space_key};
use crate::access::active_role;
use crate::join::member_key;
use crate::{Actor, Key, Row};
use chrono::{DateTime, Utc};
use meantime_model::due::Window;
use meantime_model::{PersonId, Schedule, Urgency};
use meantime_protocol::http::Op;
use meantime_protocol::{Kind, Problem, Scope, kinds};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// Most people one thread may ask.
const ASKED: usize = 100;
/// Longest title, in characters.
const TITLE: usize = 300;
/// Longest outcome, in characters.
const OUTCOME: usize = 10_000;

/// A kind that may stand where the op puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Thread,
    Message,
    Space,
    Member,
    Schedule,
    Focus,
    Agreement,
    Mark,
    /// A kind of a newer app in a person's own feed: nobody else sees it, so
    /// it is kept as it comes.
    Own,
}

impl Known {
    pub(super) fn of(op: &Op) -> Result<Self, Problem> {
        match (&op.scope, op.kind.as_str()) {
            (Scope::Team(_) | Scope::Private(_), "thread") => Ok(Self::Thread),
            (Scope::Team(_) | Scope::Private(_), "message") => Ok(Self::Message),
            (Scope::Private(_), "space") => Ok(Self::Space),
            (Scope::Team(_), "member") => Ok(Self::Member),
            (Scope::Team(_), "schedule") => Ok(Self::Schedule),
            (Scope::Team(_), "focus") => Ok(Self::Focus),
            (Scope::Team(_), "agreement") => Ok(Self::Agreement),
            (Scope::User(_), "mark") => Ok(Self::Mark),
            (Scope::User(_), "thread" | "message" | "space" | "member" | "schedule" | "focus" | "agreement") => {
                Err(invalid(format!("a {} does not belong in a person's own feed", op.kind)))
            }
            (Scope::User(_), name) if is_name(name) => Ok(Self::Own),
            _ => Err(invalid("this server does not know that kind of record")),
        }
    }

    /// The rows besides the target that the rules look at.
    pub(super) fn looks_at(self, actor: &Actor, op: &Op) -> Vec<Key> {
        let key = |kind: Kind, id: Uuid| Key { scope: op.scope, kind, id };
        match self {
            Self::Message => {
                let thread = uuid_of(op.fields.get("thread")).map(|id| key(Kind::THREAD, id));
                thread.into_iter().chain(attachments::looks_at(actor, op)).collect()
            }
            Self::Thread => {
                let asked = op.fields.get("asked").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                asked
                    .iter()
                    .take(ASKED)
                    .filter_map(|v| uuid_of(Some(v)))
                    .map(|id| member(actor, PersonId(id)))
                    .collect()
            }
            Self::Space => space::looks_at(actor, op),
            _ => Vec::new(),
        }
    }

    /// Whether it may be sent to appear later.
    pub(super) fn can_wait(self) -> bool {
        matches!(self, Self::Thread | Self::Message)
    }

    pub(super) fn may_make(self, actor: &Actor, op: &Op) -> Result<(), Problem> {
        match self {
            Self::Thread | Self::Message | Self::Mark | Self::Own => Ok(()),
            Self::Space => space::may_make(actor, op),
            Self::Member => Err(forbidden("the server makes somebody a member when they join")),
            Self::Schedule | Self::Focus => own(actor, op.id),
            Self::Agreement if op.id == actor.team.0 => lead(actor),
            Self::Agreement => Err(invalid("the agreement's id is the team's")),
        }
    }

    pub(super) fn may_change(self, actor: &Actor, op: &Op, row: &Row) -> Result<(), Problem> {
        let author = row.record.author == actor.person;
        let stands = row.stands_on(actor.device, op.base_seq);
        // What stands there already takes nothing away: two devices may send
        // again the same after a restore.
        let differs = |field: &str| op.fields.get(field).is_some_and(|new| Some(new) != row.record.fields.get(field));
        match self {
            Self::Thread => {
                if !author && op.fields.keys().any(|k| k != "outcome") {
                    return Err(forbidden("only its author changes a thread; anybody may set its outcome"));
                }
                let decided = row.record.fields.get("outcome").is_some_and(|o| !o.is_null());
                if decided && differs("outcome") && !stands {
                    return Err(conflict("the outcome was changed meanwhile"));
                }
                Ok(())
            }
            Self::Message if !author => Err(forbidden("only its author changes a message")),
            Self::Message => {
                if op.fields.get("thread").is_some_and(|t| Some(t) != row.record.fields.get("thread")) {
                    return Err(invalid("a message stays in its thread"));
                }
                if differs("text") && !stands {
                    return Err(conflict("the message was changed meanwhile"));
                }
                Ok(())
            }
            Self::Member => {
                own(actor, op.id)?;
                // `null` for a field that is not there changes nothing.
                let is = |field: &str| row.record.fields.get(field).cloned().unwrap_or_default();
                if ["role", "removed_at"].iter().any(|field| op.fields.get(*field).is_some_and(|v| *v != is(field))) {
                    return Err(forbidden("roles are not changed by writing them"));
                }
                Ok(())
            }
            Self::Space => space::may_change(actor, op, row),
            Self::Schedule | Self::Focus => own(actor, op.id),
            Self::Agreement => lead(actor),
            Self::Mark | Self::Own => Ok(()),
        }
    }

    pub(super) fn may_delete(self, actor: &Actor, row: &Row) -> Result<(), Problem> {
        match self {
            Self::Thread | Self::Message if row.record.author != actor.person => {
                Err(forbidden("only its author deletes it"))
            }
            Self::Thread | Self::Message | Self::Mark | Self::Own => Ok(()),
            Self::Space => Err(forbidden("a circle is left, not deleted")),
            Self::Member | Self::Schedule | Self::Focus | Self::Agreement => {
                Err(forbidden("this can be changed, not deleted"))
            }
        }
    }

    /// Where the last arrival does not simply win: a read marker only moves
    /// on, unless it is taken away.
    pub(super) fn reconcile(self, old: &Value, new: &mut Value) {
        if self != Self::Mark {
            return;
        }
        let before = old.get("read_at").cloned();
        if let (Some(was), Some(is)) = (instant(before.as_ref()), instant(new.get("read_at")))
            && was > is
            && let (Some(fields), Some(before)) = (new.as_object_mut(), before)
        {
            fields.insert("read_at".to_owned(), before);
        }
    }

    /// Whether the fields, as they would be after the change, make sense.
    pub(super) fn check(
        self,
        actor: &Actor,
        fields: &Value,
        op: &Op,
        before: Option<&Row>,
        view: &View,
    ) -> Result<(), Problem> {
        match self {
            Self::Thread => thread(actor, &typed(op, fields)?, op, view),
            Self::Space => space::check(actor, &typed(op, fields)?, op, before, view),
            Self::Message => message(actor, &typed(op, fields)?, op, view),
            Self::Member => {
                let member: kinds::Member = typed(op, fields)?;
                // One that was kept before it was looked at like this stays.
                if op.fields.contains_key("name") {
                    limits::name_of_person("the name", &member.name)?;
                }
                limits::name("the title", member.title.as_ref())?;
                limits::name("the city", member.city.as_ref())
            }
            Self::Schedule => typed::<Schedule>(op, fields).map(drop),
            Self::Focus => {
                let focus: kinds::Focus = typed(op, fields)?;
                match (focus.since, focus.until) {
                    (Some(since), Some(until)) if until < since => Err(invalid("the focus ends before it begins")),
                    (None, Some(_)) => Err(invalid("a focus that ends has begun")),
                    _ => Ok(()),
                }
            }
            Self::Agreement => agreement(&typed(op, fields)?, op),
            Self::Mark => typed::<kinds::Mark>(op, fields).map(drop),
            Self::Own => Ok(()),
        }
    }
}

fn thread(actor: &Actor, thread: &kinds::Thread, op: &Op, view: &View) -> Result<(), Problem> {
    limits::line("the title", &thread.title, TITLE)?;
    limits::name("the space", thread.space.as_ref())?;
    if thread.outcome.as_ref().is_some_and(|o| o.chars().count() > OUTCOME) {
        return Err(invalid(format!("the outcome is longer than {OUTCOME} characters")));
    }
    if thread.asked.len() > ASKED {
        return Err(invalid(format!("a thread asks at most {ASKED} people")));
    }
    if thread.asked.iter().collect::<HashSet<_>>().len() < thread.asked.len() {
        return Err(invalid("somebody is asked twice"));
    }
    if thread.urgency == Urgency::Red && thread.asked.is_empty() {
        return Err(invalid("what is urgent names who is asked"));
    }
    if op.fields.contains_key("asked") && !thread.asked.iter().all(|id| can_be_asked(actor, op, view, *id)) {
        return Err(invalid("somebody who is asked is not there to answer"));
    }
    Ok(())
}

/// Whether somebody reads what stands in the op's feed.
fn can_be_asked(actor: &Actor, op: &Op, view: &View, person: PersonId) -> bool {
    match op.scope {
        Scope::Private(circle) => {
            view.row(&space_key(circle)).and_then(space::members_of).is_some_and(|members| members.contains(&person))
        }
        _ => view.row(&member(actor, person)).and_then(active_role).is_some_and(|role| role != kinds::Role::Guest),
    }
}

fn member(actor: &Actor, person: PersonId) -> Key {
    member_key(actor.team_scope(), person)
}

fn message(actor: &Actor, message: &kinds::Message, op: &Op, view: &View) -> Result<(), Problem> {
    if message.text.trim().is_empty() {
        return Err(invalid("the message is empty"));
    }
    attachments::check(actor, message, op, view)?;
    if !op.fields.contains_key("thread") {
        return Ok(());
    }
    let key = Key { scope: op.scope, kind: Kind::THREAD, id: message.thread };
    match view.row(&key) {
        // A held thread of somebody else is answered as one that is not there.
        Some(t) if !t.record.deleted && t.visible_to(actor.person) => Ok(()),
        _ => Err(not_found()),
    }
}

fn agreement(agreement: &kinds::Agreement, op: &Op) -> Result<(), Problem> {
    if op.fields.contains_key("team") {
        limits::name_of_person("the team's name", &agreement.team)?;
    }
    let kinds::Windows { red, yellow, green } = &agreement.windows;
    for window in [red, yellow, green].into_iter().flatten() {
        window.parse::<Window>().map_err(|e| invalid(e.to_string()))?;
    }
    Ok(())
}

fn typed<'de, T: Deserialize<'de>>(op: &Op, fields: &'de Value) -> Result<T, Problem> {
    T::deserialize(fields).map_err(|e| invalid(format!("the {} can't be read: {e}", op.kind)))
}

fn own(actor: &Actor, id: Uuid) -> Result<(), Problem> {
    if id == actor.person.0 { Ok(()) } else { Err(forbidden("only the person themselves writes this")) }
}

fn lead(actor: &Actor) -> Result<(), Problem> {
    if actor.administers() { Ok(()) } else { Err(forbidden("owners and admins write the agreement")) }
}

fn instant(value: Option<&Value>) -> Option<DateTime<Utc>> {
    value.and_then(Value::as_str).and_then(|text| text.parse().ok())
}

fn uuid_of(value: Option<&Value>) -> Option<Uuid> {
    value.and_then(Value::as_str).and_then(|text| Uuid::parse_str(text).ok())
}

fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}
