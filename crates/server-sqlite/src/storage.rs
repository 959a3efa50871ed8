//! The `Storage` trait, call by call. Every statement names its team.

use crate::Sqlite;
use crate::row::{self, COLUMNS, role_name, signed, unsigned, uuid};
use crate::writer::Done;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId, TeamId};
use meantime_protocol::{Epoch, Scope};
use meantime_server_core::storage::{Batch, Changes, Commit, Current, Device, Invite, Join, Limit, Page, Team};
use meantime_server_core::{Key, Row, SecretHash, Storage, StorageError, TeamScope};
use rusqlite::{Connection, Error, OptionalExtension as _, Params, named_params, params};

#[async_trait]
impl Storage for Sqlite {
    async fn epoch(&self) -> Result<Epoch, StorageError> {
        Ok(self.epoch)
    }

    async fn device(&self, token: SecretHash) -> Result<Option<Device>, StorageError> {
        let sql = "SELECT team_id, device_id, person_id, token, name, since FROM device WHERE token = ?1";
        self.readers.read(move |db| db.prepare_cached(sql)?.query_row([token.0], row::device).optional()).await
    }

    async fn invite(&self, secret: SecretHash) -> Result<Option<Invite>, StorageError> {
        let sql = "SELECT team_id, secret, role, expires_at, used FROM invite WHERE secret = ?1";
        self.readers.read(move |db| db.prepare_cached(sql)?.query_row([secret.0], row::invite).optional()).await
    }

    async fn teams(&self) -> Result<Vec<Team>, StorageError> {
        let sql = "SELECT team_id, name FROM team ORDER BY founded_at, team_id";
        self.readers.read(move |db| db.prepare_cached(sql)?.query_map([], row::team)?.collect()).await
    }

    async fn next_held(&self) -> Result<Option<(DateTime<Utc>, TeamId)>, StorageError> {
        let sql = "SELECT visible_from, team_id FROM record
                   WHERE held = 1 AND deleted = 0 ORDER BY visible_from, team_id LIMIT 1";
        let read = move |db: &Connection| {
            let at = |r: &rusqlite::Row<'_>| Ok((row::time(0, r.get(0)?)?, TeamId(uuid(r, 1)?)));
            db.prepare_cached(sql)?.query_row([], at).optional()
        };
        self.readers.read(read).await
    }

    async fn found(&self, team: TeamScope, name: &str, at: DateTime<Utc>) -> Result<(), StorageError> {
        let name = name.to_owned();
        let write = move |db: &Connection| {
            let sql = "INSERT INTO team (team_id, name, founded_at) VALUES (?1, ?2, ?3)";
            db.execute(sql, params![bytes(team), name, at.timestamp_millis()])?;
            Ok(Done::Keep(()))
        };
        self.writer.write(write).await
    }

    async fn team(&self, team: TeamScope) -> Result<Option<Team>, StorageError> {
        let sql = "SELECT team_id, name FROM team WHERE team_id = ?1";
        self.readers.read(move |db| db.prepare_cached(sql)?.query_row([bytes(team)], row::team).optional()).await
    }

    async fn add_invite(&self, team: TeamScope, invite: &Invite) -> Result<(), StorageError> {
        let Invite { secret, role, expires_at, used, .. } = invite.clone();
        let write = move |db: &Connection| {
            let sql = "INSERT INTO invite (team_id, secret, role, expires_at, used) VALUES (?1, ?2, ?3, ?4, ?5)";
            db.execute(sql, params![bytes(team), secret.0, role_name(role), expires_at.timestamp_millis(), used])?;
            Ok(Done::Keep(()))
        };
        self.writer.write(write).await
    }

    async fn get(&self, team: TeamScope, keys: &[Key]) -> Result<Vec<Option<Row>>, StorageError> {
        let keys = keys.to_vec();
        let read = move |db: &Connection| {
            let sql = "WHERE team_id = ?1 AND scope = ?2 AND kind = ?3 AND id = ?4";
            let mut find = db.prepare_cached(&format!("SELECT {COLUMNS} FROM record {sql}"))?;
            let one = |key: &Key| {
                let Key { scope, kind, id } = key;
                find.query_row(params![bytes(team), scope.to_string(), kind.as_str(), id.as_bytes()], row::stored)
                    .optional()
            };
            keys.iter().map(one).collect()
        };
        self.readers.read(read).await
    }

    async fn taken(&self, team: TeamScope, device: DeviceId, ns: &[u64]) -> Result<Vec<Option<OpId>>, StorageError> {
        let ns = ns.to_vec();
        let read = move |db: &Connection| {
            let sql = "SELECT op_id FROM taken WHERE team_id = ?1 AND device_id = ?2 AND n = ?3";
            let mut find = db.prepare_cached(sql)?;
            let one = |n: &u64| {
                find.query_row(params![bytes(team), device.0.as_bytes(), signed(*n)], |r| uuid(r, 0).map(OpId))
                    .optional()
            };
            ns.iter().map(one).collect()
        };
        self.readers.read(read).await
    }

    async fn commit(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError> {
        self.writer.write(move |db| commit(db, team, batch)).await
    }

    async fn upto(&self, team: TeamScope, scopes: &[Scope]) -> Result<Vec<u64>, StorageError> {
        let scopes = scopes.to_vec();
        let read = move |db: &Connection| scopes.iter().map(|s| Ok(counter(db, team, s)?.0)).collect();
        self.readers.read(read).await
    }

    async fn changes(&self, team: TeamScope, from: &Changes) -> Result<Page, StorageError> {
        let Changes { scope, reader, after, limit } = *from;
        let read = move |db: &Connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM record WHERE team_id = :team AND scope = :scope AND seq > :after
                 AND (held = 0 OR author = :reader) ORDER BY seq LIMIT :limit"
            );
            let values = named_params! {
                ":team": bytes(team), ":scope": scope.to_string(), ":after": signed(after),
                ":reader": reader.0.as_bytes(), ":limit": one_more(limit),
            };
            page(db, &sql, values, limit, counter(db, team, &scope)?)
        };
        self.readers.read(read).await
    }

    async fn current(&self, team: TeamScope, from: &Current) -> Result<Page, StorageError> {
        let Current { scope, reader, first, below, limit } = *from;
        let read = move |db: &Connection| {
            let not = if first { "" } else { "NOT" };
            // Written as the index `record_first` has it, so that it is used.
            let sql = format!(
                "SELECT {COLUMNS} FROM record WHERE team_id = :team AND scope = :scope AND seq < :below
                 AND kind {not} IN ('agreement', 'focus', 'member', 'schedule')
                 AND deleted = 0 AND (held = 0 OR author = :reader) ORDER BY seq DESC LIMIT :limit"
            );
            let values = named_params! {
                ":team": bytes(team), ":scope": scope.to_string(), ":below": signed(below),
                ":reader": reader.0.as_bytes(), ":limit": one_more(limit),
            };
            page(db, &sql, values, limit, counter(db, team, &scope)?)
        };
        self.readers.read(read).await
    }

    async fn held(&self, team: TeamScope, due: DateTime<Utc>, limit: usize) -> Result<Vec<Row>, StorageError> {
        let read = move |db: &Connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM record WHERE team_id = ?1 AND held = 1 AND deleted = 0 AND visible_from <= ?2
                 ORDER BY visible_from, created_at, kind DESC LIMIT ?3"
            );
            let values = params![bytes(team), due.timestamp_millis(), signed(limit as u64)];
            db.prepare_cached(&sql)?.query_map(values, row::stored)?.collect()
        };
        self.readers.read(read).await
    }

    async fn sweep(&self, team: TeamScope, before: DateTime<Utc>) -> Result<u64, StorageError> {
        self.writer.write(move |db| sweep(db, team, before)).await
    }
}

fn commit(db: &Connection, team: TeamScope, batch: Batch) -> Result<Done<Commit>, Error> {
    let mut find =
        db.prepare_cached("SELECT seq FROM record WHERE team_id = ?1 AND scope = ?2 AND kind = ?3 AND id = ?4")?;
    for (Key { scope, kind, id }, expected) in &batch.expects {
        let values = params![bytes(team), scope.to_string(), kind.as_str(), id.as_bytes()];
        let seq = find.query_row(values, |r| unsigned(r, 0)).optional()?;
        if seq.unwrap_or(0) != *expected {
            return Ok(Done::Undo(Commit::Stale));
        }
    }
    let mut take =
        db.prepare_cached("INSERT OR IGNORE INTO taken (team_id, device_id, n, op_id) VALUES (?1, ?2, ?3, ?4)")?;
    for (device, n, op) in &batch.taken {
        if take.execute(params![bytes(team), device.0.as_bytes(), signed(*n), op.0.as_bytes()])? == 0 {
            return Ok(Done::Undo(Commit::Stale));
        }
    }
    if let Some(join) = &batch.join
        && !use_invite(db, team, join)?
    {
        return Ok(Done::Undo(Commit::InviteGone));
    }
    let mut counters = Counters::default();
    let mut seqs = Vec::with_capacity(batch.writes.len());
    for row in &batch.writes {
        let seq = counters.next(db, team, &row.record.scope)?;
        put(db, team, row, seq)?;
        seqs.push(seq);
    }
    counters.save(db, team)?;
    Ok(Done::Keep(Commit::Done(seqs)))
}

/// The counters of the scopes that one commit writes: read once, saved once.
/// Only the writing transaction counts, so there is no gap.
#[derive(Default)]
struct Counters(Vec<(Scope, u64)>);

impl Counters {
    fn next(&mut self, db: &Connection, team: TeamScope, scope: &Scope) -> Result<u64, Error> {
        if let Some((_, seq)) = self.0.iter_mut().find(|(known, _)| known == scope) {
            *seq += 1;
            return Ok(*seq);
        }
        let sql = "INSERT INTO scope (team_id, scope, seq, min_seq) VALUES (?1, ?2, 0, 0)
                   ON CONFLICT DO UPDATE SET seq = seq RETURNING seq";
        let seq = db.prepare_cached(sql)?.query_row(params![bytes(team), scope.to_string()], |r| unsigned(r, 0))? + 1;
        self.0.push((*scope, seq));
        Ok(seq)
    }

    fn save(self, db: &Connection, team: TeamScope) -> Result<(), Error> {
        let mut save = db.prepare_cached("UPDATE scope SET seq = ?3 WHERE team_id = ?1 AND scope = ?2")?;
        for (scope, seq) in self.0 {
            save.execute(params![bytes(team), scope.to_string(), signed(seq)])?;
        }
        Ok(())
    }
}

fn put(db: &Connection, team: TeamScope, row: &Row, seq: u64) -> Result<(), Error> {
    let sql = "INSERT INTO record (team_id, scope, kind, id, seq, author, deleted, held, visible_from,
                   created_at, updated_at, run_device, run_base, fields)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
               ON CONFLICT (team_id, scope, kind, id) DO UPDATE SET
                   seq = excluded.seq, deleted = excluded.deleted, held = excluded.held,
                   visible_from = excluded.visible_from, updated_at = excluded.updated_at,
                   run_device = excluded.run_device, run_base = excluded.run_base, fields = excluded.fields";
    let r = &row.record;
    let fields = serde_json::to_string(&r.fields).map_err(|e| Error::ToSqlConversionFailure(Box::new(e)))?;
    db.prepare_cached(sql)?.execute(params![
        bytes(team),
        r.scope.to_string(),
        r.kind.as_str(),
        r.id.as_bytes(),
        signed(seq),
        r.author.0.as_bytes(),
        r.deleted,
        row.held,
        r.visible_from.map(|at| at.timestamp_millis()),
        r.created_at.timestamp_millis(),
        r.updated_at.timestamp_millis(),
        row.run.device.0.as_bytes(),
        signed(row.run.base),
        fields,
    ])?;
    Ok(())
}

fn use_invite(db: &Connection, team: TeamScope, join: &Join) -> Result<bool, Error> {
    let used = "UPDATE invite SET used = 1 WHERE team_id = ?1 AND secret = ?2 AND used = 0";
    if db.prepare_cached(used)?.execute(params![bytes(team), join.invite.0])? == 0 {
        return Ok(false);
    }
    let Device { id, person, token, name, since, .. } = &join.device;
    let sql = "INSERT INTO device (team_id, device_id, person_id, token, name, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![bytes(team), id.0.as_bytes(), person.0.as_bytes(), token.0, name, since.timestamp_millis()];
    db.prepare_cached(sql)?.execute(values)?;
    Ok(true)
}

fn sweep(db: &Connection, team: TeamScope, before: DateTime<Utc>) -> Result<Done<u64>, Error> {
    let values = params![bytes(team), before.timestamp_millis()];
    db.execute(
        "UPDATE scope SET min_seq = max(min_seq, gone.seq)
         FROM (SELECT scope AS name, max(seq) AS seq FROM record
               WHERE team_id = ?1 AND deleted = 1 AND updated_at < ?2 GROUP BY scope) AS gone
         WHERE scope.team_id = ?1 AND scope.scope = gone.name",
        values,
    )?;
    let swept = db.execute("DELETE FROM record WHERE team_id = ?1 AND deleted = 1 AND updated_at < ?2", values)?;
    Ok(Done::Keep(swept as u64))
}

fn counter(db: &Connection, team: TeamScope, scope: &Scope) -> Result<(u64, u64), Error> {
    let sql = "SELECT seq, min_seq FROM scope WHERE team_id = ?1 AND scope = ?2";
    let values = params![bytes(team), scope.to_string()];
    let found = db.prepare_cached(sql)?.query_row(values, |r| Ok((unsigned(r, 0)?, unsigned(r, 1)?))).optional()?;
    Ok(found.unwrap_or_default())
}

fn page(
    db: &Connection,
    sql: &str,
    values: impl Params,
    limit: Limit,
    (upto, min_seq): (u64, u64),
) -> Result<Page, Error> {
    let mut page = Page { upto, min_seq, ..Page::default() };
    let mut bytes = 0;
    let mut find = db.prepare_cached(sql)?;
    let mut rows = find.query(values)?;
    while let Some(columns) = rows.next()? {
        if page.rows.len() >= limit.rows || bytes > limit.bytes {
            page.more = true;
            break;
        }
        bytes += columns.get_ref(10)?.as_bytes().map_or(0, <[u8]>::len);
        page.rows.push(row::record(columns)?);
    }
    Ok(page)
}

/// One row more than wanted tells whether there are more.
fn one_more(limit: Limit) -> i64 {
    signed(limit.rows as u64).saturating_add(1)
}

fn bytes(team: TeamScope) -> [u8; 16] {
    team.id().0.into_bytes()
}
