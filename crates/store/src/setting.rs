//! Table `setting`: this device's settings, as JSON under a key.

use crate::sql::{RowExt, json};
use crate::{Read, Result, Tx};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) const V1: &str = "
CREATE TABLE setting (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;";

/// A setting; an error if it is there in another form than `T`.
pub fn get<T: DeserializeOwned>(r: &Read<'_>, key: &str) -> Result<Option<T>> {
    let mut q = r.conn.prepare_cached("SELECT value FROM setting WHERE key = ?1")?;
    Ok(q.query_row([key], |row| row.json("value")).optional()?)
}

/// Keeps a setting.
pub fn put<T: Serialize>(tx: &Tx<'_>, key: &str, value: &T) -> Result<()> {
    let sql = "INSERT INTO setting (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
    tx.conn.prepare_cached(sql)?.execute(params![key, json(value)?])?;
    Ok(())
}

/// Forgets a setting.
pub fn remove(tx: &Tx<'_>, key: &str) -> Result<()> {
    tx.conn.execute("DELETE FROM setting WHERE key = ?1", [key])?;
    Ok(())
}
