//! A feed's pages, its beginning and its end.

use super::lost;
use super::project::{Stale, project};
use super::{Applied, Team};
use crate::outbox::{self, Change, NewOp, Target};
use crate::sql::RowExt;
use crate::{Result, Tx, draft, record, scope};
use meantime_model::{ItemId, OpId};
use meantime_protocol::http::{BootstrapPage, PullPage};
use meantime_protocol::{Code, Fields, Kind, Record, Scope};
use rusqlite::params;
use uuid::Uuid;

/// Applies a pulled page with its cursor. A row applies only if it is newer;
/// ops of ours that it brings back leave the outbox.
pub fn apply_page(tx: &Tx<'_>, team: &Team, scope: Scope, page: &PullPage) -> Result<Applied> {
    let mut stale = Stale::default();
    store_rows(tx, team, scope, &page.rows, &mut stale)?;
    let here = scope::get(tx, scope)?;
    scope::set(tx, scope, &page.next, here.and_then(|f| f.page).as_deref())?;
    came_back(tx, scope, page.next.seq, !page.more, &mut stale)?;
    let applied = project(tx, team, &stale, false)?;
    Ok(applied)
}

/// Applies a bootstrap page; nothing of it alerts. With the first page the
/// feed has a cursor and can be pulled, while older pages still come. With
/// the last, what was there before and is not in the feed any more is
/// dropped; of that, what I wrote and a server put back from a backup has
/// lost is sent again.
pub fn apply_bootstrap(tx: &Tx<'_>, team: &Team, scope: Scope, page: &BootstrapPage) -> Result<Applied> {
    let mut stale = Stale::default();
    let lost = scope::get(tx, scope)?.is_some_and(|feed| feed.lost);
    if lost {
        for row in page.rows.iter().filter(|row| row.scope == scope) {
            lost::notice_strangers(tx, team, scope, row)?;
            lost::send_change(tx, team, row)?;
        }
    }
    store_rows(tx, team, scope, &page.rows, &mut stale)?;
    let cursor = scope::get(tx, scope)?.and_then(|f| f.cursor).unwrap_or(page.start);
    scope::set(tx, scope, &cursor, page.next_page.as_deref())?;
    if page.next_page.is_none() {
        drop_old(tx, team, scope, lost, &mut stale)?;
        came_back(tx, scope, page.start.seq, true, &mut stale)?;
    }
    let applied = project(tx, team, &stale, true)?;
    Ok(applied)
}

/// Begins a feed anew, keeping the outbox. What is there stays visible until
/// the bootstrap is through. `lost_epoch`: the server's epoch changed, it may
/// have lost what it had taken. Where that is not known yet, it can be told
/// later by where this device stood ([`scope::Feed::was`]).
pub fn begin_anew(tx: &Tx<'_>, scope: Scope, lost_epoch: bool) -> Result<()> {
    let name = scope.to_string();
    tx.conn.execute("UPDATE record SET old = 1 WHERE scope = ?1 AND old = 0", [&name])?;
    let sql = "UPDATE scope SET was = CASE WHEN ?2 THEN NULL ELSE coalesce(cursor, was) END,
                   cursor = NULL, page = NULL, lost_epoch = CASE WHEN ?2 AND lost_epoch <> 3 THEN 1
                   ELSE lost_epoch END WHERE scope = ?1";
    tx.conn.execute(sql, params![name, lost_epoch])?;
    if lost_epoch {
        // Taken by a server that may not know of it any more: sent again,
        // under a new number, with the same op id.
        let sql = "UPDATE outbox SET state = 'waiting', n = NULL, seq = NULL, attempts = 0
                   WHERE scope = ?1 AND state = 'sent'";
        tx.conn.execute(sql, [&name])?;
        // What the person saw was a place in a feed that is no more: the same
        // number may be somebody else's words now.
        let sql = "UPDATE outbox SET body = json_remove(body, '$.base_seq') WHERE scope = ?1";
        tx.conn.execute(sql, [&name])?;
    }
    Ok(())
}

/// The feed is not for me any more: everything of it goes. What was on its
/// way to it is refused, so that no typed word is lost.
pub fn forget(tx: &Tx<'_>, team: &Team, scope: Scope) -> Result<Applied> {
    let name = scope.to_string();
    let mut stale = Stale::default();
    for row in record::of_scope(tx, scope)? {
        stale.note(tx, &row.kind, row.id)?;
    }
    keep_drafts(tx, team, scope)?;
    let message = "You are no longer part of where this was to go.";
    let sql = "UPDATE outbox SET state = 'refused', n = NULL, code = ?2, message = ?3
               WHERE scope = ?1 AND state = 'waiting'";
    let code = serde_json::to_value(Code::NotFound).ok().and_then(|c| c.as_str().map(str::to_owned));
    tx.conn.execute(sql, params![name, code, message])?;
    tx.conn.execute("DELETE FROM outbox WHERE scope = ?1 AND state = 'sent'", [&name])?;
    tx.conn.execute("DELETE FROM scope WHERE scope = ?1", [&name])?;
    project(tx, team, &stale, true)
}

/// What was being typed into a feed that goes becomes a refused message.
fn keep_drafts(tx: &Tx<'_>, team: &Team, scope: Scope) -> Result<()> {
    for row in record::of_scope(tx, scope)? {
        let item = ItemId(row.id);
        if row.kind != Kind::THREAD {
            continue;
        }
        let (text, files) = (draft::get(tx, Some(item))?.unwrap_or_default(), draft::files(tx, Some(item))?);
        if text.is_empty() && files.is_empty() {
            continue;
        }
        let mut fields = Fields::new();
        fields.insert("thread".into(), serde_json::json!(row.id));
        fields.insert("text".into(), serde_json::json!(text));
        if !files.is_empty() {
            fields.insert("attachments".into(), serde_json::json!(files));
        }
        let change = Change { fields, ..Change::default() };
        let target = Target::Record { scope, kind: Kind::MESSAGE, id: Uuid::now_v7(), change };
        let what = "Your draft".into();
        let op_id = OpId::new();
        let draft = NewOp {
            account: team.account,
            op_id,
            target,
            item: Some(item),
            what,
            text,
            not_before: None,
            made_at: team.now,
        };
        outbox::push(tx, &draft)?;
        draft::clear(tx, Some(item))?;
    }
    Ok(())
}

fn store_rows(tx: &Tx<'_>, team: &Team, scope: Scope, rows: &[Record], stale: &mut Stale) -> Result<()> {
    scope::add(tx, team.account, scope)?;
    for row in rows {
        if row.scope != scope {
            continue;
        }
        // Before it is stored: a mark's effect depends on the one before.
        let mut one = Stale::default();
        one.note(tx, &row.kind, row.id)?;
        if record::put(tx, row)? {
            stale.threads.append(&mut one.threads);
            stale.messages.append(&mut one.messages);
            stale.members.append(&mut one.members);
            for (id, before) in one.marks {
                stale.marks.entry(id).or_insert(before);
            }
            stale.team_changed |= one.team_changed;
            stale.hours_changed |= one.hours_changed;
        }
    }
    Ok(())
}

/// Ops that were taken and whose effect the feed has brought leave the outbox.
/// One that was a repetition has no seq: it leaves when the feed is read to
/// its end.
fn came_back(tx: &Tx<'_>, scope: Scope, upto: u64, at_end: bool, stale: &mut Stale) -> Result<()> {
    let sql = "DELETE FROM outbox WHERE scope = ?1 AND state = 'sent'
               AND (seq <= ?2 OR (seq IS NULL AND ?3)) RETURNING kind, record_id";
    let mut q = tx.conn.prepare_cached(sql)?;
    let upto = i64::try_from(upto).unwrap_or(i64::MAX);
    let gone = q
        .query_map(params![scope.to_string(), upto, at_end], |row| {
            Ok((row.get::<_, String>(0)?, row.uuid("record_id")?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for (kind, id) in gone {
        stale.note(tx, &Kind::new(&kind), id)?;
    }
    Ok(())
}

/// The end of a bootstrap: what it did not bring is gone, or sent again.
fn drop_old(tx: &Tx<'_>, team: &Team, scope: Scope, lost: bool, stale: &mut Stale) -> Result<()> {
    let name = scope.to_string();
    // Those kept before in which nothing waits any more go with the rest.
    lost::keep_threads(tx, team, scope, false)?;
    let mut q = tx.conn.prepare_cached("SELECT * FROM record WHERE scope = ?1 AND old = 1 ORDER BY seq")?;
    let old = q.query_map([&name], record::read)?.collect::<Result<Vec<_>, _>>()?;
    for row in &old {
        if lost {
            lost::send_record(tx, team, row)?;
        }
        stale.note(tx, &row.kind, row.id)?;
    }
    lost::keep_threads(tx, team, scope, lost)?;
    lost::ask_first(tx, scope)?;
    tx.conn.execute("DELETE FROM record WHERE scope = ?1 AND old = 1", [&name])?;
    tx.conn.execute("UPDATE scope SET lost_epoch = 0 WHERE scope = ?1", [&name])?;
    Ok(())
}
