//! Table `account`: configured logins and how far each has been read.

use crate::sql::{Id, Ms, RowExt, json};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::AccountId;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

pub(crate) const V1: &str = "
CREATE TABLE account (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind       TEXT NOT NULL CHECK (kind IN ('team', 'imap', 'feed', 'archive')),
    name       TEXT NOT NULL,
    identity   TEXT NOT NULL UNIQUE,
    config     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    checked_at INTEGER,
    error_code TEXT,
    error      TEXT,
    position   INTEGER NOT NULL
) STRICT;
CREATE TABLE cursor (
    account_id BLOB NOT NULL PRIMARY KEY REFERENCES account(id) ON DELETE CASCADE,
    cursor     TEXT NOT NULL,
    backfilled INTEGER NOT NULL
) STRICT;";

/// What kind of place an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountKind {
    /// A team server.
    Team,
    /// A mailbox.
    Imap,
    /// A feed.
    Feed,
    /// Mail read from files.
    Archive,
}

/// One configured login. Holds no secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What kind of place it is.
    pub kind: AccountKind,
    /// As it is shown.
    pub name: String,
    /// The same on each of the person's devices; item ids are derived from it.
    pub identity: String,
    /// What the adapter needs to connect, without secrets.
    pub config: Value,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// The last time it was read without an error.
    pub checked_at: Option<DateTime<Utc>>,
    /// The last error, while it lasts: a code for programs, a sentence for people.
    pub error: Option<(String, String)>,
    /// Where it stands in the list of accounts.
    pub position: i64,
}

/// How far an account has been read.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// The source's own words.
    pub cursor: Value,
    /// The first reading is through: from here on, news may alert.
    pub backfilled: bool,
}

/// Every account, in the order of the list.
pub fn all(r: &Read<'_>) -> Result<Vec<Account>> {
    let mut q = r.conn.prepare_cached("SELECT * FROM account ORDER BY position, created_at, id")?;
    let rows = q.query_map([], row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// One account.
pub fn get(r: &Read<'_>, id: AccountId) -> Result<Option<Account>> {
    let mut q = r.conn.prepare_cached("SELECT * FROM account WHERE id = ?1")?;
    Ok(q.query_row([Id(id.0)], row).optional()?)
}

/// The account of that identity, if it was added before.
pub fn by_identity(r: &Read<'_>, identity: &str) -> Result<Option<Account>> {
    let mut q = r.conn.prepare_cached("SELECT * FROM account WHERE identity = ?1")?;
    Ok(q.query_row([identity], row).optional()?)
}

/// Adds an account, or changes the name, config and position of a known one.
/// Another account of the same identity is an error.
pub fn put(tx: &Tx<'_>, account: &Account) -> Result<()> {
    tx.conn.execute(
        "INSERT INTO account (id, kind, name, identity, config, created_at, checked_at, error_code, error, position)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET name = ?3, config = ?5, position = ?10",
        params![
            Id(account.id.0),
            account.kind.as_str(),
            account.name,
            account.identity,
            json(&account.config)?,
            Ms(account.created_at),
            account.checked_at.map(Ms),
            account.error.as_ref().map(|e| &e.0),
            account.error.as_ref().map(|e| &e.1),
            account.position,
        ],
    )?;
    Ok(())
}

/// The account goes by another identity from now on. Nothing that is derived
/// from the old one changes.
pub fn set_identity(tx: &Tx<'_>, id: AccountId, identity: &str) -> Result<()> {
    tx.conn.execute("UPDATE account SET identity = ?2 WHERE id = ?1", params![Id(id.0), identity])?;
    Ok(())
}

/// It was read without an error.
pub fn set_checked(tx: &Tx<'_>, id: AccountId, at: DateTime<Utc>) -> Result<()> {
    let sql = "UPDATE account SET checked_at = ?2, error_code = NULL, error = NULL WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), Ms(at)])?;
    Ok(())
}

/// It failed: a code for programs, a sentence for people.
pub fn set_error(tx: &Tx<'_>, id: AccountId, code: &str, message: &str) -> Result<()> {
    let sql = "UPDATE account SET error_code = ?2, error = ?3 WHERE id = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), code, message])?;
    Ok(())
}

/// Removes an account and everything read from it. Its drafts and unsent
/// changes go with it ([`crate::unsent`] tells which): ask the person first.
pub fn remove(tx: &Tx<'_>, id: AccountId) -> Result<()> {
    let sql = "DELETE FROM draft WHERE item_id IN (SELECT id FROM item WHERE account_id = ?1)";
    tx.conn.execute(sql, [Id(id.0)])?;
    tx.conn.execute("DELETE FROM outbox WHERE account_id = ?1", [Id(id.0)])?;
    tx.conn.execute("DELETE FROM account WHERE id = ?1", [Id(id.0)])?;
    Ok(())
}

/// How far the account has been read; none before the first page.
pub fn cursor(r: &Read<'_>, id: AccountId) -> Result<Option<Cursor>> {
    let mut q = r.conn.prepare_cached("SELECT cursor, backfilled FROM cursor WHERE account_id = ?1")?;
    let found =
        q.query_row([Id(id.0)], |row| Ok(Cursor { cursor: row.json("cursor")?, backfilled: row.get("backfilled")? }));
    Ok(found.optional()?)
}

/// Forgets how far the account was read, so that it is read again from the
/// newest; nothing of that alerts.
pub fn clear_cursor(tx: &Tx<'_>, id: AccountId) -> Result<()> {
    tx.conn.execute("DELETE FROM cursor WHERE account_id = ?1", [Id(id.0)])?;
    Ok(())
}

/// Commits a cursor; `ingest` does so together with its page.
pub(crate) fn set_cursor(tx: &Tx<'_>, id: AccountId, cursor: &Value, backfilled: bool) -> Result<()> {
    let sql = "INSERT INTO cursor (account_id, cursor, backfilled) VALUES (?1, ?2, ?3)
               ON CONFLICT (account_id) DO UPDATE SET cursor = ?2, backfilled = ?3";
    tx.conn.prepare_cached(sql)?.execute(params![Id(id.0), json(cursor)?, backfilled])?;
    Ok(())
}

impl AccountKind {
    /// As it lies in the column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Imap => "imap",
            Self::Feed => "feed",
            Self::Archive => "archive",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "team" => Self::Team,
            "imap" => Self::Imap,
            "feed" => Self::Feed,
            _ => Self::Archive,
        }
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<Account> {
    let code: Option<String> = row.get("error_code")?;
    let message: Option<String> = row.get("error")?;
    Ok(Account {
        id: AccountId(row.uuid("id")?),
        kind: AccountKind::parse(&row.get::<_, String>("kind")?),
        name: row.get("name")?,
        identity: row.get("identity")?,
        config: row.json("config")?,
        created_at: row.time("created_at")?,
        checked_at: row.opt_time("checked_at")?,
        error: code.zip(message),
        position: row.get("position")?,
    })
}
