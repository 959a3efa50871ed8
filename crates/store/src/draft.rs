//! Table `draft`: what is being typed, the files that are to go with it, and
//! what else was chosen for it. What that is made of is the engine's.

use crate::sql::{Id, Ms, RowExt, json};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::ItemId;
use meantime_protocol::Attachment;
use rusqlite::{OptionalExtension, params};
use serde_json::Value;

// The all-zero id stands for the draft of a new thread.
pub(crate) const V1: &str = "
CREATE TABLE draft (
    item_id BLOB NOT NULL PRIMARY KEY CHECK (length(item_id) = 16),
    text    TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;";

pub(crate) const V2: &str = "ALTER TABLE draft ADD COLUMN files TEXT NOT NULL DEFAULT '[]';";

pub(crate) const V3: &str = "ALTER TABLE draft ADD COLUMN thread TEXT NOT NULL DEFAULT 'null';";

// An answer has choices as well.
pub(crate) const V4: &str = "ALTER TABLE draft RENAME COLUMN thread TO chosen;";

/// What is being typed into a conversation, or for a new thread (`None`).
pub fn get(r: &Read<'_>, item: Option<ItemId>) -> Result<Option<String>> {
    let mut q = r.conn.prepare_cached("SELECT text FROM draft WHERE item_id = ?1 AND text <> ''")?;
    Ok(q.query_row([key(item)], |row| row.get(0)).optional()?)
}

/// The files that are to go with it, in their order.
pub fn files(r: &Read<'_>, item: Option<ItemId>) -> Result<Vec<Attachment>> {
    let mut q = r.conn.prepare_cached("SELECT files FROM draft WHERE item_id = ?1")?;
    Ok(q.query_row([key(item)], |row| row.json("files")).optional()?.unwrap_or_default())
}

/// What else was chosen for it: what a new thread is to be, whom an answer is
/// to go to.
pub fn chosen(r: &Read<'_>, item: Option<ItemId>) -> Result<Option<Value>> {
    let mut q = r.conn.prepare_cached("SELECT chosen FROM draft WHERE item_id = ?1")?;
    Ok(q.query_row([key(item)], |row| row.json("chosen")).optional()?.flatten())
}

/// Keeps what is typed; with nothing else kept an empty text ends the draft.
pub fn put(tx: &Tx<'_>, item: Option<ItemId>, text: &str, at: DateTime<Utc>) -> Result<()> {
    let sql = "INSERT INTO draft (item_id, text, at) VALUES (?1, ?2, ?3)
               ON CONFLICT (item_id) DO UPDATE SET text = ?2, at = ?3";
    tx.conn.prepare_cached(sql)?.execute(params![key(item), text, Ms(at)])?;
    drop_empty(tx, item)
}

/// Keeps the files that are to go with it; with nothing else kept none end the
/// draft.
pub fn put_files(tx: &Tx<'_>, item: Option<ItemId>, files: &[Attachment], at: DateTime<Utc>) -> Result<()> {
    let sql = "INSERT INTO draft (item_id, text, at, files) VALUES (?1, '', ?2, ?3)
               ON CONFLICT (item_id) DO UPDATE SET files = ?3, at = ?2";
    tx.conn.prepare_cached(sql)?.execute(params![key(item), Ms(at), json(&files)?])?;
    drop_empty(tx, item)
}

/// Keeps what else was chosen for it; with nothing else kept `None` ends the
/// draft.
pub fn put_chosen(tx: &Tx<'_>, item: Option<ItemId>, chosen: Option<&Value>, at: DateTime<Utc>) -> Result<()> {
    let sql = "INSERT INTO draft (item_id, text, at, chosen) VALUES (?1, '', ?2, ?3)
               ON CONFLICT (item_id) DO UPDATE SET chosen = ?3, at = ?2";
    tx.conn.prepare_cached(sql)?.execute(params![key(item), Ms(at), json(&chosen)?])?;
    drop_empty(tx, item)
}

/// It was sent: nothing is left of it.
pub fn clear(tx: &Tx<'_>, item: Option<ItemId>) -> Result<()> {
    tx.conn.prepare_cached("DELETE FROM draft WHERE item_id = ?1")?.execute([key(item)])?;
    Ok(())
}

fn drop_empty(tx: &Tx<'_>, item: Option<ItemId>) -> Result<()> {
    // A thread has a title and more without a text; an answer is nothing but one.
    let sql = "DELETE FROM draft WHERE item_id = ?1 AND text = '' AND files = '[]'
                   AND (chosen = 'null' OR item_id <> zeroblob(16))";
    tx.conn.prepare_cached(sql)?.execute([key(item)])?;
    Ok(())
}

fn key(item: Option<ItemId>) -> Id {
    Id(item.map(|i| i.0).unwrap_or_default())
}
