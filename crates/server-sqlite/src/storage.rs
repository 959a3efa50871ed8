//! The `Storage` trait, call by call. Every statement names its team.

// long: one short method for each call of the trait

use crate::row::{self, ACCOUNT, AUDIT, COLUMNS, DEVICE, INVITE, TOKEN, signed, unsigned, uuid};
use crate::sweep::sweep;
use crate::writer::{Done, LOG, room};
use crate::{Sqlite, people, schema};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId, PersonId, TeamId};
use meantime_protocol::{Epoch, Kind, Scope};
use meantime_server_core::pokes::Moved;
use meantime_server_core::row::weight_of;
use meantime_server_core::storage::{
    Account, Attempts, AuditEntry, Batch, Bearer, Change, Changes, Commit, Current, Device, Invite, Limit, Page,
    Standing, Sweep, Taken, Team, Token, Tried,
};
use meantime_server_core::{Key, Row, SecretHash, Storage, StorageError, TeamScope};
use rusqlite::{Connection, Error, OptionalExtension as _, Params, named_params, params};
use std::sync::atomic::Ordering;
use uuid::Uuid;

#[async_trait]
impl Storage for Sqlite {
    async fn epoch(&self) -> Result<Epoch, StorageError> {
        Ok(self.epoch)
    }

    async fn bearer(&self, token: SecretHash) -> Result<Option<Bearer>, StorageError> {
        self.readers.read(move |db| people::bearer(db, token)).await
    }

    async fn invite(&self, secret: SecretHash) -> Result<Option<Invite>, StorageError> {
        let sql = format!("SELECT {INVITE} FROM invite WHERE secret = ?1");
        self.readers.read(move |db| db.prepare_cached(&sql)?.query_row([secret.0], row::invite).optional()).await
    }

    async fn writable(&self) -> Result<(), StorageError> {
        // What stands there is written anew: a page goes to the log and onto
        // the disk, and nothing has changed.
        let write = |db: &Connection| {
            db.pragma_update(None, "application_id", schema::APPLICATION)?;
            Ok(Done::Keep(room(db)))
        };
        match self.writer.write(write).await? {
            // One page may still have room where nothing else has.
            Some(left) if left < LOG => Err(StorageError::Failed(format!("its disk has {left} bytes left"))),
            _ => Ok(()),
        }
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

    async fn taken(&self, team: TeamScope, device: DeviceId, ns: &[u64]) -> Result<Taken, StorageError> {
        let ns = ns.to_vec();
        let read = move |db: &Connection| {
            let sql = "SELECT op_id FROM taken WHERE team_id = ?1 AND device_id = ?2 AND n = ?3";
            let mut find = db.prepare_cached(sql)?;
            let one = |n: &u64| {
                find.query_row(params![bytes(team), device.0.as_bytes(), signed(*n)], |r| uuid(r, 0).map(OpId))
                    .optional()
            };
            let ops = ns.iter().map(one).collect::<Result<_, _>>()?;
            let sql = "SELECT forgotten FROM device WHERE team_id = ?1 AND device_id = ?2";
            let forgotten: Option<Option<i64>> = db
                .prepare_cached(sql)?
                .query_row(params![bytes(team), device.0.as_bytes()], |r| r.get(0))
                .optional()?;
            Ok(Taken { ops, forgotten: forgotten.flatten().map(i64::unsigned_abs) })
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

    async fn scopes(&self, team: TeamScope, after: Option<Scope>, limit: usize) -> Result<Vec<Scope>, StorageError> {
        let sql = "SELECT scope FROM scope WHERE team_id = ?1 AND scope > ?2 ORDER BY scope LIMIT ?3";
        let after = after.map(|scope| scope.to_string()).unwrap_or_default();
        let values = (bytes(team), after, signed(limit as u64));
        self.readers.read(move |db| db.prepare_cached(sql)?.query_map(values, |r| row::parsed(r, 0))?.collect()).await
    }

    async fn newer(&self, known: &[Moved]) -> Result<Vec<Moved>, StorageError> {
        let known = known.to_vec();
        let read = move |db: &Connection| {
            let mut newer = Vec::new();
            for feed in known {
                let (seq, _) = counter(db, TeamScope::operator(feed.team), &feed.scope)?;
                if seq > feed.seq {
                    newer.push(Moved { seq, ..feed });
                }
            }
            Ok(newer)
        };
        self.readers.read(read).await
    }

    async fn access_moved(&self, known: &[(TeamId, u64)]) -> Result<Vec<(TeamId, u64)>, StorageError> {
        let known = known.to_vec();
        let read = move |db: &Connection| {
            let mut moved = Vec::new();
            for (team, known) in known {
                let access = people::access(db, TeamScope::operator(team))?;
                if access != known {
                    moved.push((team, access));
                }
            }
            Ok(moved)
        };
        self.readers.read(read).await
    }

    async fn others_wrote(&self) -> Result<bool, StorageError> {
        // Of the writer's connection: its own commits don't move it.
        let read = |db: &Connection| db.pragma_query_value(None, "data_version", |r| r.get(0)).map(Done::Keep);
        let version: i64 = self.writer.write(read).await?;
        Ok(self.version.swap(version, Ordering::Relaxed) != version)
    }

    async fn changes(&self, team: TeamScope, from: &Changes) -> Result<Page, StorageError> {
        let Changes { scope, reader, guest, after, limit } = *from;
        let read = move |db: &Connection| {
            let only = if guest { GUEST } else { "" };
            let sql = format!(
                "SELECT {COLUMNS} FROM record WHERE team_id = :team AND scope = :scope AND seq > :after
                 AND (held = 0 OR author = :reader) {only} ORDER BY seq LIMIT :limit"
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
        let Current { scope, reader, guest, first, below, limit } = *from;
        let read = move |db: &Connection| {
            let only = if guest { GUEST } else { "" };
            let not = if first { "" } else { "NOT" };
            // Written as the index `record_first` has it, so that it is used.
            let sql = format!(
                "SELECT {COLUMNS} FROM record WHERE team_id = :team AND scope = :scope AND seq < :below
                 AND kind {not} IN ('agreement', 'focus', 'member', 'schedule')
                 AND deleted = 0 AND (held = 0 OR author = :reader) {only} ORDER BY seq DESC LIMIT :limit"
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

    async fn rows(
        &self,
        team: TeamScope,
        scope: Scope,
        kind: &Kind,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Row>, StorageError> {
        let kind = kind.as_str().to_owned();
        let read = move |db: &Connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM record WHERE team_id = ?1 AND scope = ?2 AND kind = ?3 AND id > ?4
                 ORDER BY id LIMIT ?5"
            );
            // Nothing has an id before this: it is shorter than any.
            let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
            let values = params![bytes(team), scope.to_string(), kind, after, signed(limit as u64)];
            db.prepare_cached(&sql)?.query_map(values, row::stored)?.collect()
        };
        self.readers.read(read).await
    }

    async fn sweep(&self, team: TeamScope, old: &Sweep) -> Result<u64, StorageError> {
        let old = *old;
        self.writer.write(move |db| sweep(db, team, &old)).await
    }

    async fn access(&self, team: TeamScope) -> Result<u64, StorageError> {
        self.readers.read(move |db| people::access(db, team)).await
    }

    async fn standing(&self, team: TeamScope, device: DeviceId) -> Result<Option<Standing>, StorageError> {
        self.readers.read(move |db| people::standing(db, team, device)).await
    }

    async fn devices(&self, team: TeamScope, person: PersonId) -> Result<Vec<Device>, StorageError> {
        let sql =
            format!("SELECT {DEVICE} FROM device WHERE team_id = ?1 AND person_id = ?2 ORDER BY since, device_id");
        let values = (bytes(team), person.0.into_bytes());
        self.readers.read(move |db| db.prepare_cached(&sql)?.query_map(values, row::device)?.collect()).await
    }

    async fn tokens(&self, team: TeamScope, device: DeviceId) -> Result<Vec<Token>, StorageError> {
        let sql = format!("SELECT {TOKEN} FROM token WHERE team_id = ?1 AND device_id = ?2 ORDER BY issued_at");
        let values = (bytes(team), device.0.into_bytes());
        self.readers.read(move |db| db.prepare_cached(&sql)?.query_map(values, row::token)?.collect()).await
    }

    async fn seen(&self, team: TeamScope, device: DeviceId, at: DateTime<Utc>) -> Result<(), StorageError> {
        let write = move |db: &Connection| {
            let sql = "UPDATE device SET seen_at = ?3 WHERE team_id = ?1 AND device_id = ?2";
            db.prepare_cached(sql)?.execute(params![bytes(team), device.0.as_bytes(), at.timestamp_millis()])?;
            Ok(Done::Keep(()))
        };
        self.writer.write(write).await
    }

    async fn account(&self, team: TeamScope, person: PersonId) -> Result<Option<Account>, StorageError> {
        let sql = format!("SELECT {ACCOUNT} FROM account WHERE team_id = ?1 AND person_id = ?2");
        let values = (bytes(team), person.0.into_bytes());
        self.readers.read(move |db| db.prepare_cached(&sql)?.query_row(values, row::account).optional()).await
    }

    async fn account_named(&self, team: TeamScope, login: &str) -> Result<Option<Account>, StorageError> {
        let sql = format!("SELECT {ACCOUNT} FROM account WHERE team_id = ?1 AND login = ?2");
        let values = (bytes(team), login.to_owned());
        self.readers.read(move |db| db.prepare_cached(&sql)?.query_row(values, row::account).optional()).await
    }

    async fn authenticators(&self, team: TeamScope) -> Result<Vec<Account>, StorageError> {
        let sql =
            format!("SELECT {ACCOUNT} FROM account WHERE team_id = ?1 AND totp_secret IS NOT NULL ORDER BY person_id");
        let values = [bytes(team)];
        self.readers.read(move |db| db.prepare_cached(&sql)?.query_map(values, row::account)?.collect()).await
    }

    async fn circles(&self, team: TeamScope, of: &[PersonId]) -> Result<Vec<Vec<Uuid>>, StorageError> {
        let of = of.to_vec();
        self.readers.read(move |db| of.iter().map(|person| people::circles(db, team, *person)).collect()).await
    }

    async fn invites(&self, team: TeamScope, now: DateTime<Utc>) -> Result<Vec<Invite>, StorageError> {
        let sql = format!("SELECT {INVITE} FROM invite WHERE team_id = ?1 AND used = 0 AND expires_at > ?2");
        let values = (bytes(team), now.timestamp_millis());
        self.readers.read(move |db| db.prepare_cached(&sql)?.query_map(values, row::invite)?.collect()).await
    }

    async fn attempts(&self, team: TeamScope, of: Tried) -> Result<Option<Attempts>, StorageError> {
        self.readers.read(move |db| people::attempts(db, team, of)).await
    }

    async fn failed(
        &self,
        team: TeamScope,
        of: Tried,
        at: DateTime<Utc>,
        since: DateTime<Utc>,
    ) -> Result<u32, StorageError> {
        self.writer.write(move |db| people::failed(db, team, of, (at, since)).map(Done::Keep)).await
    }

    async fn forget_attempts(&self, team: TeamScope, of: Tried) -> Result<(), StorageError> {
        self.writer.write(move |db| people::forget_attempts(db, team, of).map(Done::Keep)).await
    }

    async fn audit(&self, team: TeamScope, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StorageError> {
        let sql = format!("SELECT {AUDIT} FROM audit WHERE team_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3");
        let values = (bytes(team), before.map_or(i64::MAX, signed), signed(limit as u64));
        self.readers.read(move |db| db.prepare_cached(&sql)?.query_map(values, row::audit)?.collect()).await
    }
}

/// What a guest sees of the team's feed (`Changes::guest`).
const GUEST: &str = "AND (kind = 'agreement' OR (kind IN ('focus', 'member', 'schedule') AND (id = :reader OR id IN (
     SELECT other.person_id FROM circle AS mine JOIN circle AS other USING (team_id, circle_id)
     WHERE mine.team_id = :team AND mine.person_id = :reader))))";

fn commit(db: &Connection, team: TeamScope, batch: Batch) -> Result<Done<Commit>, Error> {
    if let Some(relied) = batch.access
        && people::access(db, team)? != relied
    {
        return Ok(Done::Undo(Commit::Stale));
    }
    let mut find =
        db.prepare_cached("SELECT seq FROM record WHERE team_id = ?1 AND scope = ?2 AND kind = ?3 AND id = ?4")?;
    for (Key { scope, kind, id }, expected) in &batch.expects {
        let values = params![bytes(team), scope.to_string(), kind.as_str(), id.as_bytes()];
        let seq = find.query_row(values, |r| unsigned(r, 0)).optional()?;
        if seq.unwrap_or(0) != *expected {
            return Ok(Done::Undo(Commit::Stale));
        }
    }
    let sql = "INSERT OR IGNORE INTO taken (team_id, device_id, n, op_id, at)
               SELECT team_id, device_id, ?3, ?4, ?5 FROM device WHERE team_id = ?1 AND device_id = ?2";
    let mut take = db.prepare_cached(sql)?;
    let at = batch.at.timestamp_millis();
    for (device, n, op) in &batch.taken {
        if take.execute(params![bytes(team), device.0.as_bytes(), signed(*n), op.0.as_bytes(), at])? == 0 {
            return Ok(Done::Undo(Commit::Stale));
        }
    }
    if batch.changes.iter().any(Change::moves_access) {
        people::move_access(db, team)?;
    }
    for change in &batch.changes {
        if let Some(stop) = people::change(db, team, change)? {
            return Ok(Done::Undo(stop));
        }
    }
    let mut counters = Counters::default();
    let mut seqs = Vec::with_capacity(batch.writes.len());
    for row in &batch.writes {
        let seq = counters.next(db, team, &row.record.scope)?;
        put(db, team, row, seq)?;
        seqs.push(seq);
    }
    counters.save(db, team)?;
    for entry in &batch.audit {
        people::note(db, team, entry)?;
    }
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
                   created_at, updated_at, run_device, run_base, fields, decided_by)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
               ON CONFLICT (team_id, scope, kind, id) DO UPDATE SET
                   seq = excluded.seq, deleted = excluded.deleted, held = excluded.held,
                   visible_from = excluded.visible_from, updated_at = excluded.updated_at,
                   run_device = excluded.run_device, run_base = excluded.run_base, fields = excluded.fields,
                   decided_by = excluded.decided_by";
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
        row.decided_by.map(|person| person.0.into_bytes()),
    ])?;
    Ok(())
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
        let record = row::record(columns)?;
        bytes += weight_of(columns.get_ref(10)?.as_bytes().map_or(0, <[u8]>::len), &record.fields);
        page.rows.push(record);
    }
    Ok(page)
}

/// One row more than wanted tells whether there are more.
fn one_more(limit: Limit) -> i64 {
    signed(limit.rows as u64).saturating_add(1)
}

pub(crate) fn bytes(team: TeamScope) -> [u8; 16] {
    team.id().0.into_bytes()
}
