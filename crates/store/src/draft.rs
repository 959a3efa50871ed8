//! Table `draft`: what is being typed.

use crate::sql::{Id, Ms};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::ItemId;
use rusqlite::{OptionalExtension, params};

// The all-zero id stands for the draft of a new thread.
pub(crate) const V1: &str = "
CREATE TABLE draft (
    item_id BLOB NOT NULL PRIMARY KEY CHECK (length(item_id) = 16),
    text    TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;";

/// What is being typed into a conversation, or for a new thread (`None`).
pub fn get(r: &Read<'_>, item: Option<ItemId>) -> Result<Option<String>> {
    let mut q = r.conn.prepare_cached("SELECT text FROM draft WHERE item_id = ?1")?;
    Ok(q.query_row([key(item)], |row| row.get(0)).optional()?)
}

/// Keeps a draft; an empty text drops it.
pub fn put(tx: &Tx<'_>, item: Option<ItemId>, text: &str, at: DateTime<Utc>) -> Result<()> {
    if text.is_empty() {
        tx.conn.prepare_cached("DELETE FROM draft WHERE item_id = ?1")?.execute([key(item)])?;
        return Ok(());
    }
    let sql = "INSERT INTO draft (item_id, text, at) VALUES (?1, ?2, ?3)
               ON CONFLICT (item_id) DO UPDATE SET text = ?2, at = ?3";
    tx.conn.prepare_cached(sql)?.execute(params![key(item), text, Ms(at)])?;
    Ok(())
}

fn key(item: Option<ItemId>) -> Id {
    Id(item.map(|i| i.0).unwrap_or_default())
}
