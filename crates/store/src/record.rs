//! Table `record`: the team data as the server sent it, nothing of ours on
//! top. [`crate::team`] reads it together with what waits in the outbox.

use crate::sql::{Id, RowExt, json};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::PersonId;
use meantime_protocol::{Kind, Record, Scope};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

// Times are microseconds here: a row image is kept as it came. `parent` is
// the thread of a message. `old` marks what was there before a feed was begun
// anew and has not been seen in it since.
pub(crate) const V1: &str = "
CREATE TABLE record (
    scope        TEXT NOT NULL REFERENCES scope(scope) ON DELETE CASCADE,
    kind         TEXT NOT NULL,
    id           BLOB NOT NULL CHECK (length(id) = 16),
    parent       BLOB,
    seq          INTEGER NOT NULL,
    author       BLOB NOT NULL,
    deleted      INTEGER NOT NULL,
    visible_from INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    fields       TEXT NOT NULL,
    old          INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, id, scope)
) STRICT;
CREATE INDEX record_parent ON record (parent) WHERE parent IS NOT NULL;
CREATE INDEX record_scope ON record (scope, kind);
CREATE INDEX record_old ON record (scope) WHERE old = 1;";

// `old` = 2: a thread that a server put back from a backup does not know, kept
// for what was written in it here, until whoever began it brings it back.
pub(crate) const V2: &str = "CREATE INDEX record_kept ON record (scope) WHERE old = 2;";

/// One record as the server sent it, tombstones included. Should somebody
/// give a record of a circle the id of the team's, the team's counts.
pub fn get(r: &Read<'_>, kind: &Kind, id: Uuid) -> Result<Option<Record>> {
    let mut q =
        r.conn.prepare_cached("SELECT * FROM record WHERE kind = ?1 AND id = ?2 ORDER BY scope DESC LIMIT 1")?;
    Ok(q.query_row(params![kind.as_str(), Id(id)], read).optional()?)
}

/// Every record of a feed, tombstones included, in the order of seq.
pub fn of_scope(r: &Read<'_>, scope: Scope) -> Result<Vec<Record>> {
    let mut q = r.conn.prepare_cached("SELECT * FROM record WHERE scope = ?1 ORDER BY seq, kind, id")?;
    let rows = q.query_map([scope.to_string()], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// A record from before its feed was begun anew, not seen in it since.
pub(crate) fn old(r: &Read<'_>, scope: Scope, kind: &Kind, id: Uuid) -> Result<Option<Record>> {
    let sql = "SELECT * FROM record WHERE kind = ?1 AND id = ?2 AND scope = ?3 AND old = 1";
    let mut q = r.conn.prepare_cached(sql)?;
    Ok(q.query_row(params![kind.as_str(), Id(id), scope.to_string()], read).optional()?)
}

/// Keeps a row image if it is newer than what is there; false if it is not.
pub(crate) fn put(tx: &Tx<'_>, record: &Record) -> Result<bool> {
    let seq = i64::try_from(record.seq).unwrap_or(i64::MAX);
    let sql = "INSERT INTO record (scope, kind, id, parent, seq, author, deleted, visible_from, created_at,
            updated_at, fields, old)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0)
        ON CONFLICT (kind, id, scope) DO UPDATE SET parent = ?4, seq = ?5, author = ?6, deleted = ?7,
            visible_from = ?8, created_at = ?9, updated_at = ?10, fields = ?11, old = 0
        WHERE ?5 > record.seq OR record.old <> 0";
    let changed = tx.conn.prepare_cached(sql)?.execute(params![
        record.scope.to_string(),
        record.kind.as_str(),
        Id(record.id),
        parent_of(record).map(Id),
        seq,
        Id(record.author.0),
        record.deleted,
        record.visible_from.map(|t| t.timestamp_micros()),
        record.created_at.timestamp_micros(),
        record.updated_at.timestamp_micros(),
        json(&record.fields)?,
    ])?;
    Ok(changed == 1)
}

/// The thread a message says it belongs to.
fn parent_of(record: &Record) -> Option<Uuid> {
    if record.kind != Kind::MESSAGE {
        return None;
    }
    record.fields.get("thread").and_then(|v| v.as_str()).and_then(|s| Uuid::parse_str(s).ok())
}

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Record> {
    let micros = |column: &str| -> rusqlite::Result<DateTime<Utc>> {
        Ok(DateTime::from_timestamp_micros(row.get(column)?).unwrap_or_default())
    };
    let index = row.as_ref().column_index("scope")?;
    let scope = row
        .get_ref(index)?
        .as_str()?
        .parse::<Scope>()
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(e)))?;
    Ok(Record {
        scope,
        kind: Kind::new(row.get_ref("kind")?.as_str()?),
        id: row.uuid("id")?,
        seq: u64::try_from(row.get::<_, i64>("seq")?).unwrap_or_default(),
        author: PersonId(row.uuid("author")?),
        deleted: row.get("deleted")?,
        visible_from: row.get::<_, Option<i64>>("visible_from")?.and_then(DateTime::from_timestamp_micros),
        created_at: micros("created_at")?,
        updated_at: micros("updated_at")?,
        fields: row.json("fields")?,
    })
}
