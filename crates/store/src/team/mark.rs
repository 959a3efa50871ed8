//! Marks: one person's read, done and snoozed state, following them to each
//! of their devices, for items of any source.

use super::effective::effective;
use crate::outbox::{self, Change, NewOp, Target};
use crate::sql::{Id, Ms, RowExt};
use crate::{Read, Result, Tx, item};
use chrono::{DateTime, Utc};
use meantime_model::{AccountId, ItemId, OpId};
use meantime_protocol::kinds::Mark;
use meantime_protocol::{Kind, Scope};
use rusqlite::{OptionalExtension, params};
use serde_json::Value;

/// The person's mark of an item, with what is pending on top.
pub(crate) fn mark(r: &Read<'_>, item: ItemId) -> Result<Option<Mark>> {
    Ok(effective(r, &Kind::MARK, item.0)?.and_then(|e| e.typed()))
}

/// Brings an item of another source than the team to its mark, if it has one.
pub(crate) fn apply_mark(tx: &Tx<'_>, id: ItemId, now: DateTime<Utc>) -> Result<()> {
    match mark(tx, id)? {
        Some(mark) => bring(tx, id, &Mark::default(), &mark, now),
        None => Ok(()),
    }
}

/// Brings an item of another source from one mark to the next. What the mark
/// does not say is left as its source has it.
pub(super) fn bring(tx: &Tx<'_>, id: ItemId, before: &Mark, mark: &Mark, now: DateTime<Utc>) -> Result<()> {
    let newest = newest_from_others(tx, id)?;
    let later = |at: DateTime<Utc>| newest.is_some_and(|newest| newest > at);
    match mark.read_at {
        Some(read_at) => {
            let sql = "UPDATE message SET read = 1 WHERE item_id = ?1 AND own = 0 AND read = 0 AND at <= ?2";
            tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), Ms(read_at)])?;
            if !later(read_at) {
                item::set_looked_at(tx, id)?;
            }
        }
        None if before.read_at.is_some() => item::set_unread(tx, id)?,
        None => {}
    }
    match mark.done_at {
        Some(at) if mark.muted || !later(at) => item::set_done(tx, id, Some(at))?,
        None if before.done_at.is_some() => item::set_done(tx, id, None)?,
        _ => {}
    }
    match mark.snoozed_until {
        Some(until) if until > now && mark.snoozed_until != before.snoozed_until => {
            item::set_snoozed(tx, id, Some(until))?;
        }
        None if before.snoozed_until.is_some() => item::set_snoozed(tx, id, None)?,
        _ => {}
    }
    if mark.muted != before.muted {
        item::set_muted(tx, id, mark.muted)?;
    }
    item::refresh(tx, id)
}

/// Somebody answered in a snoozed conversation: takes the snooze out of its
/// mark, so that it comes back on every device.
pub(crate) fn clear_snooze(tx: &Tx<'_>, id: ItemId, now: DateTime<Utc>) -> Result<()> {
    let Some(record) = effective(tx, &Kind::MARK, id.0)? else { return Ok(()) };
    if !record.fields.contains_key("snoozed_until") {
        return Ok(());
    }
    let Some(account) = account_of(tx, record.scope)? else { return Ok(()) };
    let mut fields = serde_json::Map::new();
    fields.insert("snoozed_until".into(), Value::Null);
    outbox::push(
        tx,
        &NewOp {
            account,
            op_id: OpId::new(),
            target: Target::Record {
                scope: record.scope,
                kind: Kind::MARK,
                id: id.0,
                change: Change { fields, ..Change::default() },
            },
            item: Some(id),
            what: "Wake a snoozed conversation".into(),
            text: String::new(),
            not_before: None,
            made_at: now,
        },
    )?;
    Ok(())
}

pub(super) fn newest_from_others(r: &Read<'_>, id: ItemId) -> Result<Option<DateTime<Utc>>> {
    let sql = "SELECT at FROM message WHERE item_id = ?1 AND own = 0 ORDER BY at DESC LIMIT 1";
    Ok(r.conn.prepare_cached(sql)?.query_row([Id(id.0)], |row| row.time("at")).optional()?)
}

fn account_of(r: &Read<'_>, scope: Scope) -> Result<Option<AccountId>> {
    let sql = "SELECT account_id FROM scope WHERE scope = ?1";
    let found = r.conn.prepare_cached(sql)?.query_row([scope.to_string()], |row| row.uuid("account_id"));
    Ok(found.optional()?.map(AccountId))
}
