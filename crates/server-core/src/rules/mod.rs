//! Judges one change: pure, no storage, no clock.
//!
//! [`needs`] names the rows that [`judge`] will look at; whoever calls reads
//! them, and later commits only if none of them moved.

mod attachments;
mod kinds;
mod limits;
mod space;
mod view;

use crate::clock::whole_millis;
use crate::join::member_key;
use crate::{Actor, Key, Row, Run};
use chrono::{DateTime, TimeDelta, Utc};
use kinds::Known;
use meantime_model::PersonId;
use meantime_protocol::http::Op;
use meantime_protocol::{Code, Kind, Problem, Record, Scope};
use serde_json::Value;

pub use attachments::{Kept, attachment_key, cupboard, kind_of_attachment, referred, refers, with};
pub use limits::{name_of_person, too_many_values};
pub use space::{circle_without, introduced, members_of, space_key};
pub use view::View;

/// How far ahead something may be sent.
pub const SEND_AHEAD: TimeDelta = TimeDelta::days(366);

/// How far in the past the moment may be at which something is to appear: for
/// clocks that differ a little, and ways that take a little. Beyond it nobody
/// can tell a clock that is wrong from a device that was away.
pub const SEND_BEHIND: TimeDelta = TimeDelta::minutes(5);

/// What becomes of a change that is allowed.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Write this row; its `seq` is that of the row it replaces.
    Write(Box<Row>),
    /// The record already is as wanted.
    Same,
}

/// The record an op changes.
#[must_use]
pub fn target(op: &Op) -> Key {
    Key { scope: op.scope, kind: op.kind.clone(), id: op.id }
}

/// The rows that [`judge`] looks at: of a feed that nobody but its own person
/// reads, none.
#[must_use]
pub fn needs(actor: &Actor, op: &Op) -> Vec<Key> {
    let mut keys = vec![member_key(actor.team_scope(), actor.person)];
    match op.scope {
        Scope::Private(circle) => keys.push(space_key(circle)),
        scope if !actor.reaches(&scope) => return keys,
        _ => {}
    }
    keys.push(target(op));
    if let Ok(known) = Known::of(op) {
        keys.extend(known.looks_at(actor, op));
    }
    keys
}

/// The people of whom [`judge`] has to know in how many circles they are.
#[must_use]
pub fn counts(op: &Op) -> Vec<PersonId> {
    if op.kind == Kind::SPACE { space::named(op) } else { Vec::new() }
}

/// Whether `actor` may make this change, and what the record is after it.
///
/// # Errors
/// Why it is refused.
pub fn judge(actor: &Actor, op: &Op, view: &View, now: DateTime<Utc>) -> Result<Verdict, Problem> {
    reach(actor, op, view)?;
    let known = Known::of(op)?;
    if actor.is_guest_in(&op.scope) && matches!(known, Known::Thread | Known::Message) {
        return Err(forbidden("a guest writes in the circles they were added to"));
    }
    limits::size(&op.fields)?;
    match view.row(&target(op)) {
        None if op.deleted => Err(not_found()),
        None => make(actor, known, op, view, now),
        Some(row) if !row.visible_to(actor.person) => Err(not_found()),
        Some(row) if op.deleted => delete(actor, known, op, row, now),
        Some(row) if row.record.deleted => Err(Problem::new(Code::NotFound, "this was deleted")),
        Some(row) => change(actor, known, op, row, view, now),
    }
}

/// Refuses a feed that is not this person's as if it were not there.
fn reach(actor: &Actor, op: &Op, view: &View) -> Result<(), Problem> {
    let Scope::Private(circle) = op.scope else {
        return if actor.reaches(&op.scope) { Ok(()) } else { Err(not_found()) };
    };
    match view.row(&space_key(circle)) {
        Some(space) if members_of(space).is_some_and(|members| members.contains(&actor.person)) => Ok(()),
        // It is about to be made.
        None if op.kind == Kind::SPACE && op.id == circle && !op.deleted => Ok(()),
        _ => Err(scope_gone()),
    }
}

fn make(actor: &Actor, known: Known, op: &Op, view: &View, now: DateTime<Utc>) -> Result<Verdict, Problem> {
    known.may_make(actor, op)?;
    let fields = merged(&Value::Object(Default::default()), op);
    known.check(actor, &fields, op, None, view)?;
    let visible_from = visible_from(actor, known, op, view, now)?;
    Ok(Verdict::Write(Box::new(Row {
        held: visible_from.is_some(),
        run: Run { device: actor.device, base: 0 },
        decided_by: decided_by(actor, known, &fields, None),
        record: Record {
            scope: op.scope,
            kind: op.kind.clone(),
            id: op.id,
            seq: 0,
            author: actor.person,
            deleted: false,
            visible_from,
            created_at: now,
            updated_at: now,
            fields: limits::object(fields)?,
        },
    })))
}

fn change(
    actor: &Actor,
    known: Known,
    op: &Op,
    row: &Row,
    view: &View,
    now: DateTime<Utc>,
) -> Result<Verdict, Problem> {
    known.may_change(actor, op, row)?;
    if op.visible_from.is_some_and(|at| Some(whole_millis(at)) != row.record.visible_from) {
        return Err(invalid("when something appears is said once, as it is made; delete it and send it anew"));
    }
    let old = Value::Object(row.record.fields.clone());
    let mut fields = merged(&old, op);
    known.reconcile(&old, &mut fields);
    if fields == old {
        return Ok(Verdict::Same);
    }
    known.check(actor, &fields, op, Some(row), view)?;
    Ok(Verdict::Write(Box::new(Row {
        held: row.held,
        run: continued(actor, row),
        decided_by: decided_by(actor, known, &fields, Some(row)),
        record: Record { updated_at: now, fields: limits::object(fields)?, ..row.record.clone() },
    })))
}

fn delete(actor: &Actor, known: Known, op: &Op, row: &Row, now: DateTime<Utc>) -> Result<Verdict, Problem> {
    known.may_delete(actor, row)?;
    if !op.fields.is_empty() {
        return Err(invalid("a deletion carries no fields"));
    }
    if row.record.deleted {
        return Ok(Verdict::Same);
    }
    Ok(Verdict::Write(Box::new(Row {
        held: row.held,
        run: continued(actor, row),
        decided_by: None,
        record: Record { updated_at: now, deleted: true, fields: Default::default(), ..row.record.clone() },
    })))
}

fn continued(actor: &Actor, row: &Row) -> Run {
    if row.run.device == actor.device { row.run } else { Run { device: actor.device, base: row.record.seq } }
}

/// Who wrote the outcome that stands in a thread after a change.
fn decided_by(actor: &Actor, known: Known, fields: &Value, before: Option<&Row>) -> Option<PersonId> {
    let outcome = fields.get("outcome").filter(|_| known == Known::Thread)?;
    match before {
        Some(row) if row.record.fields.get("outcome") == Some(outcome) => row.decided_by,
        _ => Some(actor.person),
    }
}

fn merged(old: &Value, op: &Op) -> Value {
    let mut fields = old.clone();
    json_patch::merge(&mut fields, &Value::Object(op.fields.clone()));
    fields
}

/// When a new record appears to others; `None`: at once.
fn visible_from(
    actor: &Actor,
    known: Known,
    op: &Op,
    view: &View,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    if known.can_wait() && op.visible_from.is_some_and(|at| at < now - SEND_BEHIND) {
        return Err(invalid(
            "the moment at which this was to appear is over; send it anew, at once or for another moment",
        ));
    }
    let wanted = op.visible_from.map(whole_millis).filter(|at| *at > now);
    if wanted.is_some() && !known.can_wait() {
        return Err(invalid("only threads and messages can be sent later"));
    }
    if wanted.is_some_and(|at| at > now + SEND_AHEAD) {
        return Err(invalid("something can be sent at most a year ahead"));
    }
    // Nothing appears before the thread that it stands in.
    let thread = known.looks_at(actor, op).into_iter().filter(|k| k.kind == Kind::THREAD);
    let held = thread.filter_map(|k| view.row(&k)).filter(|t| t.held && t.record.author == actor.person);
    Ok(held.filter_map(|t| t.record.visible_from).chain(wanted).max())
}

fn invalid(message: impl Into<String>) -> Problem {
    Problem::new(Code::Invalid, message)
}

fn conflict(message: &str) -> Problem {
    Problem::new(Code::Conflict, message)
}

fn forbidden(message: &str) -> Problem {
    Problem::new(Code::Forbidden, message)
}

/// One answer for what is not there and what is not this person's.
fn not_found() -> Problem {
    Problem::new(Code::NotFound, "there is no such thing, or not for you")
}

/// One answer for a circle that is not there and one that is others'.
pub(crate) fn scope_gone() -> Problem {
    Problem::new(Code::ScopeGone, "there is no such circle, or no longer for you")
}
