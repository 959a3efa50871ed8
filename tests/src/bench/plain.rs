//! The leanest database a chat client can have: one row a message, and where
//! it stands. Clients of a peer and lean clients of ours write it alike, with
//! the durability of the app's own pages (WAL, `synchronous = NORMAL`).

use anyhow::Result;
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A client's database.
pub struct Plain(Mutex<Connection>);

/// One message.
pub struct Row {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// What.
    pub text: String,
}

impl Plain {
    /// Makes one.
    ///
    /// # Errors
    /// The disk.
    pub fn create(path: &Path) -> Result<Self> {
        let conn = Connection::open(path)?;
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE message (id TEXT NOT NULL PRIMARY KEY, author TEXT NOT NULL, text TEXT NOT NULL) STRICT;
             CREATE TABLE place (feed TEXT NOT NULL PRIMARY KEY, cursor TEXT NOT NULL) STRICT;",
        )?;
        Ok(Self(Mutex::new(conn)))
    }

    /// A page of messages and where it leads to, in one transaction.
    ///
    /// # Errors
    /// The disk.
    pub fn put(&self, rows: &[Row], feed: &str, cursor: &str) -> Result<()> {
        let mut conn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = conn.transaction()?;
        for row in rows {
            tx.prepare_cached("INSERT OR REPLACE INTO message VALUES (?1, ?2, ?3)")?
                .execute(params![row.id, row.author, row.text])?;
        }
        tx.prepare_cached("INSERT OR REPLACE INTO place VALUES (?1, ?2)")?.execute([feed, cursor])?;
        Ok(tx.commit()?)
    }

    /// How many messages there are.
    ///
    /// # Errors
    /// The disk.
    pub fn count(&self) -> Result<u64> {
        let conn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count: i64 = conn.query_row("SELECT count(*) FROM message", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}
