//! Table `undo`: what was done last, and how to take it back.

use crate::sql::{Id, Ms, RowExt, json};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::ItemId;
use rusqlite::{OptionalExtension, params};
use serde_json::Value;

// `until` is not written any more: what was sent says itself whether it can be
// taken back.
pub(crate) const V1: &str = "
CREATE TABLE undo (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    what    TEXT NOT NULL,
    item_id BLOB,
    until   INTEGER,
    forward TEXT NOT NULL,
    back    TEXT NOT NULL,
    used    INTEGER NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;";

/// Steps kept; older ones are dropped when a new one is added.
const KEPT: i64 = 100;

/// One step that can be taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its number.
    pub id: i64,
    /// In a few words, say `Done: Review API draft`.
    pub what: String,
    /// The item concerned, or the first of many.
    pub item: Option<ItemId>,
    /// What was done; the engine's own words.
    pub forward: Value,
    /// What takes it back; the engine's own words.
    pub back: Value,
}

/// A step to keep.
#[derive(Clone, Debug)]
pub struct NewStep<'a> {
    /// In a few words.
    pub what: &'a str,
    /// The item concerned, or the first of many.
    pub item: Option<ItemId>,
    /// What was done.
    pub forward: &'a Value,
    /// What takes it back.
    pub back: &'a Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// Keeps a step; answers its number.
pub fn push(tx: &Tx<'_>, step: &NewStep<'_>) -> Result<i64> {
    tx.conn
        .prepare_cached(
            "INSERT INTO undo (what, item_id, forward, back, used, made_at) VALUES (?1, ?2, ?3, ?4, 0, ?5)",
        )?
        .execute(params![step.what, step.item.map(|i| Id(i.0)), json(step.forward)?, json(step.back)?, Ms(step.at),])?;
    let id = tx.conn.last_insert_rowid();
    tx.conn.prepare_cached("DELETE FROM undo WHERE id <= ?1")?.execute([id - KEPT])?;
    Ok(id)
}

/// The last step that was not taken back, whether or not its time is over.
pub fn last(r: &Read<'_>) -> Result<Option<Step>> {
    let mut q = r.conn.prepare_cached("SELECT * FROM undo WHERE used = 0 ORDER BY id DESC LIMIT 1")?;
    let found = q.query_row([], |row| {
        Ok(Step {
            id: row.get("id")?,
            what: row.get("what")?,
            item: row.opt_uuid("item_id")?.map(ItemId),
            forward: row.json("forward")?,
            back: row.json("back")?,
        })
    });
    Ok(found.optional()?)
}

/// Marks a step as taken back; false if it was so already.
pub fn set_used(tx: &Tx<'_>, id: i64) -> Result<bool> {
    Ok(tx.conn.execute("UPDATE undo SET used = 1 WHERE id = ?1 AND used = 0", [id])? == 1)
}
