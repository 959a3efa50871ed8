//! Changes of the person's to the team: shown at once, sent, settled. A
//! message goes once its files are at the server; what does not depend on it
//! goes past it.

use super::lost::Waits;
use super::project::{Stale, project};
use super::{Applied, Settled, Team};
use crate::outbox::{self, Entry, NewOp, REFUSED, SENT, Target};
use crate::sql::{Id, Ms};
use crate::{Read, Result, Tx, record};
use chrono::{DateTime, Utc};
use meantime_model::{AccountId, ItemId};
use meantime_protocol::http::{Op, OpResult, PushOutcome};
use meantime_protocol::{Attachment, Code, Kind, Problem, Record, Scope, Sha256};
use rusqlite::params;
use std::collections::{HashMap, HashSet};

/// How [`Code::Conflict`] is written.
const CONFLICT: &str = "conflict";
/// Ops of one push.
const BATCH_OPS: usize = 200;
/// Bytes of one push, about: a server takes bodies of a few MB.
const BATCH_BYTES: usize = 1 << 20;

/// Puts a change of a record into the outbox and shows it; answers its row
/// and what it changed.
pub fn push(tx: &Tx<'_>, team: &Team, op: &NewOp) -> Result<(i64, Applied)> {
    let mut stale = Stale::default();
    note(tx, op, &mut stale)?;
    let id = outbox::push(tx, op)?;
    Ok((id, project(tx, team, &stale, true)?))
}

/// Shows the state without a change that was withdrawn or discarded, or with
/// one that is tried again.
pub fn replay(tx: &Tx<'_>, team: &Team, entry: &Entry) -> Result<Applied> {
    let mut stale = Stale::default();
    note(tx, &entry.op, &mut stale)?;
    project(tx, team, &stale, true)
}

/// Tries a refused change again; `None` if there is no such. One that met
/// another change of the same goes on top of that now: the person saw both.
/// Follow it with [`replay`].
pub fn retry(tx: &Tx<'_>, id: i64) -> Result<Option<Entry>> {
    if let Some(present) = met(tx, id)? {
        let sql = "UPDATE outbox SET body = json_set(body, '$.base_seq', ?2) WHERE id = ?1";
        let seq = i64::try_from(present.seq).unwrap_or(i64::MAX);
        tx.conn.prepare_cached(sql)?.execute(params![id, seq])?;
    }
    outbox::retry(tx, id)
}

/// The record as it is, where a change of it was refused because somebody had
/// changed the same meanwhile.
pub fn met(r: &Read<'_>, id: i64) -> Result<Option<Record>> {
    let Some(entry) = outbox::get(r, id)? else { return Ok(None) };
    match (entry.state, entry.op.target) {
        (outbox::State::Refused { code, .. }, Target::Record { kind, id, .. }) if code == CONFLICT => {
            Ok(record::get(r, &kind, id)?.filter(|record| !record.deleted))
        }
        _ => Ok(None),
    }
}

/// A file that a waiting message needs at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileToSend {
    /// The message's row in the outbox.
    pub outbox: i64,
    /// Where it is sent to.
    pub scope: Scope,
    /// Which file.
    pub file: Attachment,
}

/// Files that are at the server, as far as this device was told.
pub type Arrived = HashSet<(Scope, Sha256)>;

/// [`next_ops_past`] for whoever sends no files: all are taken to be there.
pub fn next_ops(tx: &Tx<'_>, account: AccountId, now: DateTime<Utc>) -> Result<Vec<Op>> {
    next(tx, account, now, HashMap::new(), &HashSet::new())
}

/// The next changes to push, in the order they were made, each under its
/// number. From now on they can't be withdrawn: an answer may get lost. A
/// message whose files are not all in `arrived` waits, and with it what comes
/// after it in its thread; so does a new thread with such a first message, for
/// others would see it empty.
pub fn next_ops_past(tx: &Tx<'_>, account: AccountId, now: DateTime<Utc>, arrived: &Arrived) -> Result<Vec<Op>> {
    let (mut from, mut alone) = (HashMap::new(), HashSet::new());
    for (entry, _) in lacking(tx, account, now, arrived)? {
        alone.insert(entry.id);
        if let Some(item) = entry.op.item {
            from.entry(item).or_insert(begun_with(tx, &entry)?.unwrap_or(entry.id));
        }
    }
    next(tx, account, now, from, &alone)
}

/// The first file that a message which may go lacks. One to a circle that the
/// server has not taken yet comes after the circle.
pub fn next_file(
    r: &Read<'_>,
    account: AccountId,
    now: DateTime<Utc>,
    arrived: &Arrived,
) -> Result<Option<FileToSend>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE scope = ?1 AND kind = 'space' AND state = 'waiting')";
    let mut circle_waits = r.conn.prepare_cached(sql)?;
    let lost = Waits::read(r, account)?;
    for (entry, missing) in lacking(r, account, now, arrived)? {
        let Target::Record { scope, .. } = entry.op.target else { continue };
        if !lost.hold(entry.id, &entry.op.target)
            && !circle_waits.query_row([scope.to_string()], |row| row.get::<_, bool>(0))?
            && let Some(file) = missing.into_iter().next()
        {
            return Ok(Some(FileToSend { outbox: entry.id, scope, file }));
        }
    }
    Ok(None)
}

/// Whether a change that may go was to appear to others at a moment that is
/// over.
pub fn has_overdue(r: &Read<'_>, account: AccountId, now: DateTime<Utc>) -> Result<bool> {
    Ok(!overdue(r, account, now)?.is_empty())
}

/// What may go and was to appear by now goes at once, like all else: this
/// device was away past its moment. Only for one whose clock is right.
pub fn send_overdue(tx: &Tx<'_>, team: &Team) -> Result<Applied> {
    let mut stale = Stale::default();
    for entry in overdue(tx, team.account, team.now)? {
        note(tx, &entry.op, &mut stale)?;
        let sql = "UPDATE outbox SET body = json_remove(body, '$.visible_from') WHERE id = ?1";
        tx.conn.prepare_cached(sql)?.execute([entry.id])?;
    }
    project(tx, team, &stale, true)
}

/// A message's file was refused for good, and so the message is, and the
/// thread that began with it: both stay in the outbox, visible.
pub fn refuse(tx: &Tx<'_>, team: &Team, outbox: i64, problem: &Problem) -> Result<Applied> {
    let mut stale = Stale::default();
    let Some(entry) = outbox::get(tx, outbox)?.filter(|entry| entry.state == outbox::State::Waiting) else {
        return Ok(Applied::default());
    };
    let begun = begun_with(tx, &entry)?;
    note(tx, &entry.op, &mut stale)?;
    outbox::set_refused(tx, entry.id, &code(problem), &problem.message)?;
    if let Some(id) = begun
        && let Some(thread) = outbox::get(tx, id)?
    {
        note(tx, &thread.op, &mut stale)?;
        outbox::set_refused(tx, id, &code(problem), &problem.message)?;
    }
    project(tx, team, &stale, true)
}

fn next(
    tx: &Tx<'_>,
    account: AccountId,
    now: DateTime<Utc>,
    waits: HashMap<ItemId, i64>,
    alone: &HashSet<i64>,
) -> Result<Vec<Op>> {
    let mut chosen = Vec::new();
    let mut bytes = 0;
    let lost = Waits::read(tx, account)?;
    outbox::each_ready(tx, account, now, |entry| {
        let Target::Record { kind, change, .. } = &entry.op.target else { return Ok(true) };
        if alone.contains(&entry.id) || is_held(&waits, &entry, kind) || lost.hold(entry.id, &entry.op.target) {
            return Ok(true);
        }
        bytes += crate::sql::json(change)?.len();
        if bytes > BATCH_BYTES && !chosen.is_empty() {
            return Ok(false);
        }
        chosen.push(entry);
        Ok(chosen.len() < BATCH_OPS)
    })?;
    let mut ops = Vec::with_capacity(chosen.len());
    for entry in chosen {
        let Target::Record { scope, kind, id, change } = entry.op.target else { continue };
        let n = outbox::number(tx, account, entry.id, now)?;
        outbox::set_attempted(tx, entry.id)?;
        ops.push(Op {
            n,
            op_id: entry.op.op_id,
            scope,
            kind,
            id,
            fields: change.fields,
            base_seq: change.base_seq,
            deleted: change.deleted,
            visible_from: change.visible_from,
        });
    }
    ops.sort_by_key(|op| op.n);
    Ok(ops)
}

/// Whether a change belongs to a thread that waits from some row on.
fn is_held(waits: &HashMap<ItemId, i64>, entry: &Entry, kind: &Kind) -> bool {
    let from = entry.op.item.and_then(|item| waits.get(&item));
    from.is_some_and(|from| entry.id >= *from) && (*kind == Kind::THREAD || *kind == Kind::MESSAGE)
}

/// The new thread whose first message this is, if it waits as well.
fn begun_with(r: &Read<'_>, message: &Entry) -> Result<Option<i64>> {
    let sql = "SELECT max(id) FROM outbox AS t WHERE item_id = ?1 AND record_id = ?1 AND kind = 'thread'
               AND state = 'waiting' AND id < ?2 AND json_type(body, '$.fields.title') IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM outbox WHERE item_id = ?1 AND kind = 'message'
                   AND id > t.id AND id < ?2)";
    let mut q = r.conn.prepare_cached(sql)?;
    Ok(q.query_row(params![message.op.item.map(|i| Id(i.0)), message.id], |row| row.get(0))?)
}

/// Messages that may go but for files of theirs, with those files.
fn lacking(
    r: &Read<'_>,
    account: AccountId,
    now: DateTime<Utc>,
    arrived: &Arrived,
) -> Result<Vec<(Entry, Vec<Attachment>)>> {
    let sql = "SELECT * FROM outbox WHERE account_id = ?1 AND state = 'waiting' AND kind = 'message'
               AND coalesce(not_before, 0) <= ?2 AND json_type(body, '$.fields.attachments') = 'array' ORDER BY id";
    let mut q = r.conn.prepare_cached(sql)?;
    let mut found = Vec::new();
    for entry in q.query_map(params![Id(account.0), Ms(now)], outbox::read)? {
        let entry = entry?;
        let Target::Record { scope, change, .. } = &entry.op.target else { continue };
        let files = change.fields.get("attachments").cloned().unwrap_or_default();
        // What is not of the known form is the server's to judge.
        let mut files: Vec<Attachment> = serde_json::from_value(files).unwrap_or_default();
        files.retain(|file| !arrived.contains(&(*scope, file.sha256)));
        if !files.is_empty() {
            found.push((entry, files));
        }
    }
    Ok(found)
}

fn overdue(r: &Read<'_>, account: AccountId, now: DateTime<Utc>) -> Result<Vec<Entry>> {
    let sql = "SELECT * FROM outbox WHERE account_id = ?1 AND state = 'waiting' AND scope IS NOT NULL
               AND coalesce(not_before, 0) <= ?2 AND json_type(body, '$.visible_from') = 'text' ORDER BY id";
    let mut q = r.conn.prepare_cached(sql)?;
    let mut found = Vec::new();
    for entry in q.query_map(params![Id(account.0), Ms(now)], outbox::read)? {
        let entry = entry?;
        let Target::Record { change, .. } = &entry.op.target else { continue };
        if change.visible_from.is_some_and(|at| at <= now) {
            found.push(entry);
        }
    }
    Ok(found)
}

/// Takes the server's outcomes in. What was taken stays on top until the feed
/// brings it back; what was refused stays in the outbox, visible.
pub fn settle(tx: &Tx<'_>, team: &Team, results: &[OpResult]) -> Result<(Vec<Settled>, Applied)> {
    let mut stale = Stale::default();
    let mut settled = Vec::new();
    for result in results {
        let Some(entry) = outbox::by_number(tx, team.account, result.n)? else { continue };
        note(tx, &entry.op, &mut stale)?;
        let (seq, refused) = match &result.outcome {
            PushOutcome::Applied { seq } => (Some(i64::try_from(*seq).unwrap_or(i64::MAX)), None),
            PushOutcome::Duplicate => (None, None),
            PushOutcome::Rejected { problem } => (None, Some(problem.clone())),
        };
        let sql = "UPDATE outbox SET state = ?2, seq = ?3, code = ?4, message = ?5,
                n = CASE WHEN ?2 = 'refused' THEN NULL ELSE n END WHERE id = ?1";
        tx.conn.prepare_cached(sql)?.execute(params![
            entry.id,
            if refused.is_some() { REFUSED } else { SENT },
            seq,
            refused.as_ref().map(code),
            refused.as_ref().map(|p| &p.message),
        ])?;
        settled.push(Settled { outbox: entry.id, item: entry.op.item, what: entry.op.what, refused });
    }
    Ok((settled, project(tx, team, &stale, true)?))
}

fn note(tx: &Tx<'_>, op: &NewOp, stale: &mut Stale) -> Result<()> {
    match &op.target {
        Target::Record { kind, id, .. } => stale.note(tx, kind, *id),
        Target::Source(_) => Ok(()),
    }
}

fn code(problem: &Problem) -> String {
    let name = serde_json::to_value(problem.code).unwrap_or_default();
    name.as_str().map_or_else(|| format!("{:?}", Code::Unknown), str::to_owned)
}
