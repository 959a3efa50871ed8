//! Table `notice`: what was or is to be shown as an OS notification, each
//! under a unique key, so that it is made exactly once.

use crate::sql::{Id, Ms, RowExt, json};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::ItemId;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

pub(crate) const V1: &str = "
CREATE TABLE notice (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    key        TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    item_id    BLOB,
    title      TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    shown_at   INTEGER,
    closed_at  INTEGER,
    acted      TEXT
) STRICT;
CREATE INDEX notice_open ON notice (id) WHERE closed_at IS NULL;";

// Where the system shows it, in its own words: a later run finds it there.
pub(crate) const V2: &str = "ALTER TABLE notice ADD COLUMN place TEXT;";

/// A notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its number.
    pub id: i64,
    /// Unique: `digest:BLOCK`, `alert:ITEM:MESSAGE`.
    pub key: String,
    /// `digest`, `alert`, …
    pub kind: String,
    /// What a click opens.
    pub item: Option<ItemId>,
    /// First line.
    pub title: String,
    /// The rest; the engine's own form.
    pub body: Value,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// When the OS took it.
    pub shown_at: Option<DateTime<Utc>>,
    /// Where the system shows it, in its own words.
    pub place: Option<String>,
    /// When it was closed or acted upon.
    pub closed_at: Option<DateTime<Utc>>,
    /// What the person did with it.
    pub acted: Option<String>,
}

/// A notification to make.
#[derive(Clone, Debug)]
pub struct NewNotice<'a> {
    /// Unique; a second one of the same key is not made.
    pub key: &'a str,
    /// `digest`, `alert`, …
    pub kind: &'a str,
    /// What a click opens.
    pub item: Option<ItemId>,
    /// First line.
    pub title: &'a str,
    /// The rest.
    pub body: &'a Value,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

/// Makes a notice; `None` if one of that key was made before.
pub fn push(tx: &Tx<'_>, new: &NewNotice<'_>) -> Result<Option<i64>> {
    let made = tx
        .conn
        .prepare_cached(
            "INSERT INTO notice (key, kind, item_id, title, body, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (key) DO NOTHING",
        )?
        .execute(params![new.key, new.kind, new.item.map(|i| Id(i.0)), new.title, json(new.body)?, Ms(new.at)])?;
    Ok((made == 1).then(|| tx.conn.last_insert_rowid()))
}

/// The notice of that key.
pub fn by_key(r: &Read<'_>, key: &str) -> Result<Option<Notice>> {
    Ok(r.conn.prepare_cached("SELECT * FROM notice WHERE key = ?1")?.query_row([key], row).optional()?)
}

/// Those that were neither shown nor closed, the oldest first.
pub fn unshown(r: &Read<'_>) -> Result<Vec<Notice>> {
    let sql = "SELECT * FROM notice WHERE closed_at IS NULL AND shown_at IS NULL ORDER BY id";
    let rows = r.conn.prepare_cached(sql)?.query_map([], row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Those that are on the screen as far as we know, the oldest first.
pub fn open(r: &Read<'_>) -> Result<Vec<Notice>> {
    let sql = "SELECT * FROM notice WHERE closed_at IS NULL AND shown_at IS NOT NULL ORDER BY id";
    let rows = r.conn.prepare_cached(sql)?.query_map([], row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The OS took it, and shows it at `place`, where it says so.
pub fn set_shown(tx: &Tx<'_>, id: i64, at: DateTime<Utc>, place: Option<&str>) -> Result<()> {
    let sql = "UPDATE notice SET shown_at = coalesce(shown_at, ?2), place = ?3 WHERE id = ?1";
    tx.conn.execute(sql, params![id, Ms(at), place])?;
    Ok(())
}

/// It is closed; `acted` says what the person did. False if it was closed
/// already: late and double clicks do nothing.
pub fn close(tx: &Tx<'_>, id: i64, at: DateTime<Utc>, acted: Option<&str>) -> Result<bool> {
    let sql = "UPDATE notice SET closed_at = ?2, acted = ?3 WHERE id = ?1 AND closed_at IS NULL";
    Ok(tx.conn.execute(sql, params![id, Ms(at), acted])? == 1)
}

/// Closes what is open about an item that was looked at; answers their keys,
/// to be withdrawn from the screen.
pub fn close_of_item(tx: &Tx<'_>, item: ItemId, at: DateTime<Utc>) -> Result<Vec<String>> {
    let sql = "UPDATE notice SET closed_at = ?2 WHERE item_id = ?1 AND closed_at IS NULL RETURNING key";
    let mut q = tx.conn.prepare_cached(sql)?;
    let keys = q.query_map(params![Id(item.0), Ms(at)], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(keys)
}

fn row(row: &Row<'_>) -> rusqlite::Result<Notice> {
    Ok(Notice {
        id: row.get("id")?,
        key: row.get("key")?,
        kind: row.get("kind")?,
        item: row.opt_uuid("item_id")?.map(ItemId),
        title: row.get("title")?,
        body: row.json("body")?,
        created_at: row.time("created_at")?,
        shown_at: row.opt_time("shown_at")?,
        place: row.get("place")?,
        closed_at: row.opt_time("closed_at")?,
        acted: row.get("acted")?,
    })
}
