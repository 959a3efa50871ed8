//! What was written to be delivered later and is at the server already, which
//! shows it to nobody until its moment: until then it can be taken back there.
//! What has not gone out yet is taken back by [`out`].

use crate::api::{Failure, FailureCode};
use crate::{out, people};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_protocol::{Fields, Kind, Scope};
use meantime_store::{Read, Tx, outbox, team};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What appears to others within this may do so before it is deleted.
const SOON: TimeDelta = TimeDelta::minutes(1);

/// A record that the server holds back from others until a moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scheduled {
    kind: Kind,
    id: Uuid,
    /// The circle it is for; none for the team.
    circle: Option<Uuid>,
}

/// What of these entries makes a record that others see later only.
pub(crate) fn of(db: &Read<'_>, ids: &[i64]) -> Result<Vec<Scheduled>, Failure> {
    let mut found = Vec::new();
    for id in ids {
        let Some(entry) = outbox::get(db, *id)? else { continue };
        let outbox::Target::Record { scope, kind, id, change } = entry.op.target else { continue };
        if change.visible_from.is_some() {
            let circle = if let Scope::Private(circle) = scope { Some(circle) } else { None };
            found.push(Scheduled { kind, id, circle });
        }
    }
    Ok(found)
}

/// Whether all of these wait at the server, or on their way there, and are far
/// from appearing to others.
pub(crate) fn are_unseen(db: &Read<'_>, records: &[Scheduled], now: DateTime<Utc>) -> Result<bool, Failure> {
    for record in records {
        let Some(found) = team::effective(db, &record.kind, record.id)? else { return Ok(false) };
        let entry = found.outbox.map(|row| outbox::get(db, row)).transpose()?.flatten();
        let refused = entry.is_some_and(|entry| matches!(entry.state, outbox::State::Refused { .. }));
        if refused || found.visible_from.is_none_or(|at| at <= now + SOON) {
            return Ok(false);
        }
    }
    Ok(!records.is_empty())
}

/// Deletes them at the server: what is deleted before it appears is never seen
/// by anybody else.
pub(crate) fn delete(tx: &Tx<'_>, records: &[Scheduled], now: DateTime<Utc>) -> Result<(), Failure> {
    let no_team = || Failure::new(FailureCode::NotPossible, "you are in no team any more");
    let config = people::config(tx)?.ok_or_else(no_team)?;
    for Scheduled { kind, id, circle } in records {
        let change = out::Change::new(kind.clone(), *id, Fields::new()).deleted().within(*circle);
        out::team_op(tx, &config, change, now)?;
    }
    Ok(())
}
