//! Changes of the person's to the team: shown at once, sent, settled.

use super::project::{Stale, project};
use super::{Applied, Settled, Team};
use crate::outbox::{self, Entry, NewOp, REFUSED, SENT, Target};
use crate::{Result, Tx};
use meantime_model::AccountId;
use meantime_protocol::http::{Op, OpResult, PushOutcome};
use meantime_protocol::{Code, Problem};
use rusqlite::params;

/// Ops of one push.
const BATCH_OPS: u32 = 200;
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

/// The next changes to push, in the order they were made, each under its
/// number. From now on they can't be withdrawn: an answer may get lost.
pub fn next_ops(tx: &Tx<'_>, account: AccountId, now: chrono::DateTime<chrono::Utc>) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    let mut bytes = 0;
    for entry in outbox::ready(tx, account, now, BATCH_OPS)? {
        let Target::Record { scope, kind, id, change } = entry.op.target else { continue };
        bytes += crate::sql::json(&change)?.len();
        if bytes > BATCH_BYTES && !ops.is_empty() {
            break;
        }
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
