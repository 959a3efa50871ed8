//! Table `outbox`: changes on their way to the team server or a source.
//!
//! Nothing a person typed leaves it but by arriving, by being withdrawn, or
//! by the person's own word about a refusal. Team changes are pushed, settled
//! and withdrawn through [`crate::team`], which shows them as if they had
//! arrived; those to a source through here.

use crate::sql::{Id, Ms, RowExt, json};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::{AccountId, ItemId, OpId};
use meantime_protocol::{Fields, Kind, Scope};
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;
use uuid::Uuid;

// `n` is the number on the wire. It is given when an op is first sent, so
// that numbers leave in rising order though some ops are held back a while.
pub(crate) const V1: &str = "
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    op_id      BLOB NOT NULL,
    account_id BLOB NOT NULL,
    scope      TEXT,
    kind       TEXT,
    record_id  BLOB,
    parent     BLOB,
    body       TEXT NOT NULL,
    item_id    BLOB,
    what       TEXT NOT NULL,
    text       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'refused')),
    n          INTEGER,
    seq        INTEGER,
    code       TEXT,
    message    TEXT,
    attempts   INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER,
    made_at    INTEGER NOT NULL,
    UNIQUE (account_id, n)
) STRICT;
CREATE INDEX outbox_waiting ON outbox (account_id, id) WHERE state = 'waiting';
CREATE INDEX outbox_record  ON outbox (record_id, kind) WHERE record_id IS NOT NULL;
CREATE INDEX outbox_parent  ON outbox (parent) WHERE parent IS NOT NULL;
CREATE INDEX outbox_item    ON outbox (item_id) WHERE item_id IS NOT NULL;
CREATE TABLE outbox_last (account_id BLOB NOT NULL PRIMARY KEY, n INTEGER NOT NULL) STRICT;";

/// Not by itself: when what waits for the person is ready (the end of 9999).
const NEVER_MS: i64 = 253_402_300_799_000;

pub(crate) const WAITING: &str = "waiting";
pub(crate) const SENT: &str = "sent";
pub(crate) const REFUSED: &str = "refused";

/// Where a change goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// To the team server: a change of one record.
    Record {
        /// Its feed.
        scope: Scope,
        /// What it is.
        kind: Kind,
        /// Which one; a new id makes a new record.
        id: Uuid,
        /// The change.
        change: Change,
    },
    /// To a source, in the engine's own words.
    Source(Value),
}

/// A change of a record, as it goes over the wire.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Change {
    /// JSON merge patch on its fields.
    pub fields: Fields,
    /// The seq the person saw, where it is compare-and-set.
    #[serde(default)]
    pub base_seq: Option<u64>,
    /// Makes it a tombstone.
    #[serde(default)]
    pub deleted: bool,
    /// Send later.
    #[serde(default)]
    pub visible_from: Option<DateTime<Utc>>,
}

/// A change to send.
#[derive(Clone, Debug, PartialEq)]
pub struct NewOp {
    /// The account it goes to.
    pub account: AccountId,
    /// The same through every retry.
    pub op_id: OpId,
    /// Where it goes and what it is.
    pub target: Target,
    /// The conversation it belongs to, where there is one.
    pub item: Option<ItemId>,
    /// What it does, in a few words.
    pub what: String,
    /// What was typed; empty if nothing was.
    pub text: String,
    /// Not sent before then (the time in which it can be undone).
    pub not_before: Option<DateTime<Utc>>,
    /// When the person did it.
    pub made_at: DateTime<Utc>,
}

/// A change in the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its row; what refusals are named by.
    pub id: i64,
    /// What was put in.
    pub op: NewOp,
    /// How it goes.
    pub state: State,
    /// How often it was sent.
    pub attempts: u32,
}

/// Why changes that wait did not get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// For programs.
    pub code: String,
    /// In plain words.
    pub message: String,
    /// When they are tried again; `None`: they wait for the person.
    pub again: Option<DateTime<Utc>>,
}

/// How a change goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// On its way.
    Waiting,
    /// Taken by the server; here until the feed has brought it back.
    Sent,
    /// Refused for good.
    Refused {
        /// For programs.
        code: String,
        /// Why, in plain words.
        message: String,
    },
}

/// Puts a change in; answers its row.
pub fn push(tx: &Tx<'_>, op: &NewOp) -> Result<i64> {
    let (record, body) = match &op.target {
        Target::Record { scope, kind, id, change } => {
            let thread = change.fields.get("thread").and_then(Value::as_str).and_then(|t| Uuid::parse_str(t).ok());
            (Some((scope.to_string(), kind.as_str(), *id, thread)), json(change)?)
        }
        Target::Source(words) => (None, json(words)?),
    };
    let sql = "INSERT INTO outbox (op_id, account_id, scope, kind, record_id, parent, body, item_id, what, text,
            state, not_before, made_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'waiting', ?11, ?12)";
    tx.conn.prepare_cached(sql)?.execute(params![
        Id(op.op_id.0),
        Id(op.account.0),
        record.as_ref().map(|r| &r.0),
        record.as_ref().map(|r| r.1),
        record.as_ref().map(|r| Id(r.2)),
        record.as_ref().and_then(|r| r.3).map(Id),
        body,
        op.item.map(|i| Id(i.0)),
        op.what,
        op.text,
        op.not_before.map(Ms),
        Ms(op.made_at),
    ])?;
    Ok(tx.conn.last_insert_rowid())
}

/// One change.
pub fn get(r: &Read<'_>, id: i64) -> Result<Option<Entry>> {
    Ok(r.conn.prepare_cached("SELECT * FROM outbox WHERE id = ?1")?.query_row([id], read).optional()?)
}

/// Changes that may go now, the oldest first. One that belongs to a
/// conversation waits until those before it there may go.
pub fn ready(r: &Read<'_>, account: AccountId, now: DateTime<Utc>, limit: u32) -> Result<Vec<Entry>> {
    let mut rows = Vec::new();
    if limit > 0 {
        each_ready(r, account, now, |entry| {
            rows.push(entry);
            Ok(rows.len() < limit as usize)
        })?;
    }
    Ok(rows)
}

/// The same one by one, as long as more is wanted.
pub(crate) fn each_ready(
    r: &Read<'_>,
    account: AccountId,
    now: DateTime<Utc>,
    mut more: impl FnMut(Entry) -> Result<bool>,
) -> Result<()> {
    let sql = "SELECT * FROM outbox AS o WHERE account_id = ?1 AND state = 'waiting'
            AND coalesce(not_before, 0) <= ?2
            AND NOT EXISTS (SELECT 1 FROM outbox AS b WHERE b.item_id = o.item_id AND b.id < o.id
                AND b.account_id = ?1 AND b.state = 'waiting' AND b.not_before > ?2)
        ORDER BY id";
    let mut q = r.conn.prepare_cached(sql)?;
    for entry in q.query_map(params![Id(account.0), Ms(now)], read)? {
        if !more(entry?)? {
            break;
        }
    }
    Ok(())
}

/// When [`ready`] may have something (more), if nothing else happens.
pub fn next_ready(r: &Read<'_>, account: AccountId, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let sql =
        "SELECT min(not_before) AS at FROM outbox WHERE account_id = ?1 AND state = 'waiting' AND not_before > ?2";
    Ok(r.conn.prepare_cached(sql)?.query_row(params![Id(account.0), Ms(now)], |row| row.opt_time("at"))?)
}

/// It is about to be sent: from now on it can't be withdrawn. False if it was
/// withdrawn before, or does not wait any more: it must not be sent.
pub fn set_attempted(tx: &Tx<'_>, id: i64) -> Result<bool> {
    let sql = "UPDATE outbox SET attempts = attempts + 1 WHERE id = ?1 AND state = 'waiting'";
    Ok(tx.conn.prepare_cached(sql)?.execute([id])? > 0)
}

/// It failed in a way that may pass: tried again from then on.
pub fn set_retry(tx: &Tx<'_>, id: i64, not_before: DateTime<Utc>, code: &str, message: &str) -> Result<()> {
    let sql = "UPDATE outbox SET not_before = ?2, code = ?3, message = ?4 WHERE id = ?1 AND state = 'waiting'";
    tx.conn.prepare_cached(sql)?.execute(params![id, Ms(not_before), code, message])?;
    Ok(())
}

/// It fails until the person does something: it waits, visibly, for
/// [`let_on`].
pub fn set_stuck(tx: &Tx<'_>, id: i64, code: &str, message: &str) -> Result<()> {
    set_retry(tx, id, DateTime::from_timestamp_millis(NEVER_MS).unwrap_or_default(), code, message)
}

/// The person did something, or it may be otherwise now: what failed of an
/// account may go at once.
pub fn let_on(tx: &Tx<'_>, account: AccountId) -> Result<()> {
    let sql = "UPDATE outbox SET not_before = NULL, code = NULL, message = NULL
               WHERE account_id = ?1 AND state = 'waiting' AND scope IS NULL AND code IS NOT NULL";
    tx.conn.prepare_cached(sql)?.execute([Id(account.0)])?;
    Ok(())
}

/// Why changes of an account that wait did not get through, and when they are
/// tried again: those that wait for the person go before the others.
pub fn failing(r: &Read<'_>, account: AccountId) -> Result<Option<Failing>> {
    let sql = "SELECT code, message, not_before FROM outbox
               WHERE account_id = ?1 AND state = 'waiting' AND scope IS NULL AND code IS NOT NULL
               ORDER BY coalesce(not_before, 0) < ?2, id LIMIT 1";
    let mut q = r.conn.prepare_cached(sql)?;
    let found = q.query_row(params![Id(account.0), NEVER_MS], |row| {
        let again = row.opt_time("not_before")?.filter(|at| at.timestamp_millis() < NEVER_MS);
        Ok(Failing { code: row.get("code")?, message: row.get("message")?, again })
    });
    Ok(found.optional()?)
}

/// It arrived at its source: it is gone from here.
pub fn set_arrived(tx: &Tx<'_>, id: i64) -> Result<()> {
    tx.conn.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// It was refused for good: it stays, visible, until the person decides.
pub fn set_refused(tx: &Tx<'_>, id: i64, code: &str, message: &str) -> Result<()> {
    let sql = "UPDATE outbox SET state = 'refused', code = ?2, message = ?3, n = NULL WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![id, code, message])?;
    Ok(())
}

/// Takes a change back that was never sent; `None` if it is too late. For a
/// team change follow it with [`crate::team::replay`].
pub fn withdraw(tx: &Tx<'_>, id: i64) -> Result<Option<Entry>> {
    let sql = "DELETE FROM outbox WHERE id = ?1 AND state = 'waiting' AND attempts = 0 RETURNING *";
    Ok(tx.conn.prepare_cached(sql)?.query_row([id], read).optional()?)
}

/// What was refused, the newest first.
pub fn refused(r: &Read<'_>) -> Result<Vec<Entry>> {
    let sql = "SELECT * FROM outbox WHERE state = 'refused' ORDER BY id DESC";
    let rows = r.conn.prepare_cached(sql)?.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Tries a refused change again; `None` if there is no such. For a team
/// change follow it with [`crate::team::replay`].
pub fn retry(tx: &Tx<'_>, id: i64) -> Result<Option<Entry>> {
    let sql = "UPDATE outbox SET state = 'waiting', code = NULL, message = NULL, attempts = 0, not_before = NULL
               WHERE id = ?1 AND state = 'refused' RETURNING *";
    Ok(tx.conn.prepare_cached(sql)?.query_row([id], read).optional()?)
}

/// Lets a refused change go; `None` if there is no such. For a team change
/// follow it with [`crate::team::replay`].
pub fn discard(tx: &Tx<'_>, id: i64) -> Result<Option<Entry>> {
    let sql = "DELETE FROM outbox WHERE id = ?1 AND state = 'refused' RETURNING *";
    Ok(tx.conn.prepare_cached(sql)?.query_row([id], read).optional()?)
}

/// Changes on their way: of one account, or of all.
pub fn count_waiting(r: &Read<'_>, account: Option<AccountId>) -> Result<u32> {
    let sql = "SELECT count(*) FROM outbox WHERE state = 'waiting' AND coalesce(?1, account_id) = account_id";
    Ok(r.conn.prepare_cached(sql)?.query_row([account.map(|a| Id(a.0))], |row| row.get(0))?)
}

/// Refusals that wait for the person.
pub fn count_refused(r: &Read<'_>) -> Result<u32> {
    let sql = "SELECT count(*) FROM outbox WHERE state = 'refused'";
    Ok(r.conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// The number an op goes out under, given on its first sending: above every
/// one given before, and not below the time in milliseconds, so that not even
/// a database put back from a backup gives one out twice (the server would
/// take the second for a repetition and drop it).
pub(crate) fn number(tx: &Tx<'_>, account: AccountId, id: i64, now: DateTime<Utc>) -> Result<u64> {
    let sql = "SELECT n FROM outbox WHERE id = ?1";
    if let Some(n) = tx.conn.prepare_cached(sql)?.query_row([id], |row| row.get::<_, Option<i64>>(0))? {
        return Ok(n.unsigned_abs());
    }
    let sql = "INSERT INTO outbox_last (account_id, n) VALUES (?1, ?2)
               ON CONFLICT (account_id) DO UPDATE SET n = max(n + 1, ?2) RETURNING n";
    let n: i64 = tx
        .conn
        .prepare_cached(sql)?
        .query_row(params![Id(account.0), now.timestamp_millis().max(1)], |row| row.get(0))?;
    tx.conn.prepare_cached("UPDATE outbox SET n = ?2 WHERE id = ?1")?.execute([id, n])?;
    Ok(n.unsigned_abs())
}

pub(crate) fn by_number(r: &Read<'_>, account: AccountId, n: u64) -> Result<Option<Entry>> {
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    let sql = "SELECT * FROM outbox WHERE account_id = ?1 AND n = ?2";
    Ok(r.conn.prepare_cached(sql)?.query_row(params![Id(account.0), n], read).optional()?)
}

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let target = match row.get::<_, Option<String>>("scope")? {
        None => Target::Source(row.json("body")?),
        Some(scope) => Target::Record {
            scope: scope.parse().map_err(|e: meantime_protocol::scope::BadScope| {
                rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e))
            })?,
            kind: Kind::new(&row.get::<_, String>("kind")?),
            id: row.uuid("record_id")?,
            change: row.json("body")?,
        },
    };
    let state = match row.get_ref("state")?.as_str()? {
        WAITING => State::Waiting,
        SENT => State::Sent,
        _ => State::Refused {
            code: row.get::<_, Option<String>>("code")?.unwrap_or_default(),
            message: row.get::<_, Option<String>>("message")?.unwrap_or_default(),
        },
    };
    Ok(Entry {
        id: row.get("id")?,
        op: NewOp {
            account: AccountId(row.uuid("account_id")?),
            op_id: OpId(row.uuid("op_id")?),
            target,
            item: row.opt_uuid("item_id")?.map(ItemId),
            what: row.get("what")?,
            text: row.get("text")?,
            not_before: row.opt_time("not_before")?,
            made_at: row.time("made_at")?,
        },
        state,
        attempts: row.get("attempts")?,
    })
}
