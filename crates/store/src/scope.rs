//! Table `scope`: the feeds of a team account and where this device stands in each.

use crate::sql::Id;
use crate::{Read, Result, Tx};
use meantime_model::AccountId;
use meantime_protocol::{Cursor, Scope};
use rusqlite::{OptionalExtension, Row, params};

pub(crate) const V1: &str = "
CREATE TABLE scope (
    scope      TEXT NOT NULL PRIMARY KEY,
    account_id BLOB NOT NULL REFERENCES account(id) ON DELETE CASCADE,
    cursor     TEXT,
    page       TEXT,
    lost_epoch INTEGER NOT NULL DEFAULT 0
) STRICT;";

// `was` is the cursor from before the feed was begun anew, until its first page
// is in. `lost_epoch`: the server was put back from a backup and the feed was
// not read through since (1); it is a circle that the server does not know,
// and that was asked for again (2), or one that others read now (3).
pub(crate) const V2: &str = "ALTER TABLE scope ADD COLUMN was TEXT;";

/// A feed and where this device stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Which.
    pub scope: Scope,
    /// Where pulling goes on; `None` until the first bootstrap page is in.
    pub cursor: Option<Cursor>,
    /// The next bootstrap page; `None` when the bootstrap is through.
    pub page: Option<String>,
    /// Where this device stood before the feed was begun anew, until its first
    /// page is in.
    pub was: Option<Cursor>,
    /// The server was put back from a backup, and the feed was not read
    /// through since.
    pub lost: bool,
}

/// The feeds of an account.
pub fn all(r: &Read<'_>, account: AccountId) -> Result<Vec<Feed>> {
    let mut q = r.conn.prepare_cached("SELECT * FROM scope WHERE account_id = ?1 ORDER BY scope")?;
    let rows = q.query_map([Id(account.0)], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// One feed.
pub fn get(r: &Read<'_>, scope: Scope) -> Result<Option<Feed>> {
    let mut q = r.conn.prepare_cached("SELECT * FROM scope WHERE scope = ?1")?;
    Ok(q.query_row([scope.to_string()], read).optional()?)
}

/// Begins to follow a feed; nothing happens to one that is followed already.
pub fn add(tx: &Tx<'_>, account: AccountId, scope: Scope) -> Result<()> {
    let sql = "INSERT INTO scope (scope, account_id) VALUES (?1, ?2) ON CONFLICT (scope) DO NOTHING";
    tx.conn.prepare_cached(sql)?.execute(params![scope.to_string(), Id(account.0)])?;
    Ok(())
}

pub(crate) fn set(tx: &Tx<'_>, scope: Scope, cursor: &Cursor, page: Option<&str>) -> Result<()> {
    let sql = "UPDATE scope SET cursor = ?2, page = ?3, was = NULL WHERE scope = ?1";
    tx.conn.prepare_cached(sql)?.execute(params![scope.to_string(), cursor.to_string(), page])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Feed> {
    let index = row.as_ref().column_index("scope")?;
    let scope = row
        .get_ref(index)?
        .as_str()?
        .parse::<Scope>()
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(e)))?;
    // A cursor that can't be read is as good as none: the feed is begun anew.
    let cursor = |name| row.get::<_, Option<String>>(name).map(|cursor| cursor.and_then(|c| c.parse().ok()));
    let lost = row.get::<_, i64>("lost_epoch")? > 0;
    Ok(Feed { scope, cursor: cursor("cursor")?, page: row.get("page")?, was: cursor("was")?, lost })
}
