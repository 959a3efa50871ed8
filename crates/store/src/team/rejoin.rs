//! Joining the same team again: what this device has of it goes on.

use super::effective::effective;
use super::feed::begin_anew;
use crate::outbox::{self, Change, NewOp, Target};
use crate::sql::{Id, RowExt};
use crate::{Result, Tx, account, scope};
use chrono::{DateTime, Utc};
use meantime_model::{AccountId, ItemId, OpId, PersonId};
use meantime_protocol::{Kind, Scope};
use rusqlite::params;

/// The team's account is `me`'s from now on, under another identity. Where
/// that is another person than `before` (the server made a new one of an
/// invite), what was done, read and snoozed is told to the new person's feed,
/// and changes to the old person's own records are dropped: only their owner
/// may make them. Words on their way stay on it. Every feed begins anew: who
/// was a guest, and now is a member, was left out of rows that a pull from
/// where this device stands would never bring. What the old person wrote
/// counts as the new one's until the server says whose it is: if it was put
/// back from a backup and has it no more, it is sent again as theirs.
pub fn rejoin(
    tx: &Tx<'_>,
    account: AccountId,
    identity: &str,
    before: PersonId,
    me: PersonId,
    now: DateTime<Utc>,
) -> Result<()> {
    account::set_identity(tx, account, identity)?;
    for feed in scope::all(tx, account)? {
        begin_anew(tx, feed.scope, false)?;
    }
    if before == me {
        return Ok(());
    }
    let sql =
        "UPDATE record SET author = ?2, fields = CASE kind WHEN 'space' THEN replace(fields, ?4, ?5) ELSE fields END
               WHERE author = ?1 AND kind IN ('thread', 'message', 'space')
               AND scope IN (SELECT scope FROM scope WHERE account_id = ?3)";
    let (was, is) = (before.to_string(), me.to_string());
    tx.conn.execute(sql, params![Id(before.0), Id(me.0), Id(account.0), was, is])?;
    // A circle that is on its way has to have its maker in it.
    let sql = "UPDATE outbox SET body = replace(body, ?2, ?3) WHERE account_id = ?1 AND kind = 'space'";
    tx.conn.execute(sql, params![Id(account.0), was, is])?;
    let sql = "DELETE FROM outbox WHERE account_id = ?1 AND record_id = ?2 AND state <> 'sent' AND text = ''";
    tx.conn.execute(sql, params![Id(account.0), Id(before.0)])?;
    let marks = marks_of(tx, account, before)?;
    let sql = "DELETE FROM outbox WHERE account_id = ?1 AND scope = ?2";
    tx.conn.execute(sql, params![Id(account.0), Scope::User(before).to_string()])?;
    for (id, fields) in marks {
        let change = Change { fields, ..Change::default() };
        outbox::push(
            tx,
            &NewOp {
                account,
                op_id: OpId::new(),
                target: Target::Record { scope: Scope::User(me), kind: Kind::MARK, id: id.0, change },
                item: Some(id),
                what: "Your mark".into(),
                text: String::new(),
                not_before: None,
                made_at: now,
            },
        )?;
    }
    Ok(())
}

/// The person's marks as this device sees them, with what is on its way.
fn marks_of(tx: &Tx<'_>, account: AccountId, person: PersonId) -> Result<Vec<(ItemId, meantime_protocol::Fields)>> {
    let sql = "SELECT id FROM record WHERE scope = ?2 AND kind = 'mark' AND deleted = 0
               UNION SELECT record_id FROM outbox WHERE account_id = ?1 AND scope = ?2 AND kind = 'mark'";
    let mut q = tx.conn.prepare(sql)?;
    let scope = Scope::User(person).to_string();
    let ids = q.query_map(params![Id(account.0), scope], |row| row.uuid("id"))?.collect::<Result<Vec<_>, _>>()?;
    let mut marks = Vec::with_capacity(ids.len());
    for id in ids {
        marks.extend(effective(tx, &Kind::MARK, id)?.map(|mark| (ItemId(id), mark.fields)));
    }
    Ok(marks)
}
