//! The commit: one transaction that first takes the locks, always in the same
//! order (the team's row, then the counters by name, then devices), so that
//! commits wait for each other instead of getting in each other's way.
//!
//! Who holds a scope's counter is the only one that writes in it, until the
//! end: its numbers follow the order of commit, and what was looked at stays.

use crate::connections::{Query, discard, pipelined};
use crate::failure::{Failure, undone, unsure};
use crate::row::{signed, text, unsigned};
use crate::{Postgres, concerned, people};
use chrono::{DateTime, Utc};
use deadpool_postgres::Object;
use meantime_protocol::Scope;
use meantime_server_core::storage::{Batch, Change, Commit};
use meantime_server_core::{Key, Row, StorageError, TeamScope};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// A commit that takes longer has lost its connection.
const PATIENCE: Duration = Duration::from_secs(25);

/// Why it was not carried out.
pub(crate) enum Stop {
    /// As decided, so there is nothing wrong.
    Answer(Commit),
    /// The database says so.
    Database(Error),
    /// What it says makes no sense.
    Storage(StorageError),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl Postgres {
    /// In a task of its own: a caller that goes away leaves no transaction
    /// half way, with its locks.
    pub(crate) async fn carry_out(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError> {
        let (client, begin) = (self.connections.take().await?, self.connections.begin(team));
        let work = tokio::spawn(async move {
            let done = tokio::time::timeout(PATIENCE, attempt(&client, &begin, team, &batch)).await;
            let (result, clean) = done.unwrap_or_else(|_| (Err(StorageError::Unsure("no answer".to_owned())), false));
            if !clean {
                discard(client);
            }
            result
        });
        work.await.map_err(|e| StorageError::Failed(e.to_string()))?
    }
}

/// What became of it, and whether the connection can be used again.
async fn attempt(client: &Object, begin: &str, team: TeamScope, batch: &Batch) -> (Result<Commit, StorageError>, bool) {
    let seqs = match look(client, begin, team, batch).await {
        Ok(seqs) => seqs,
        Err(stop) => {
            let clean = client.batch_execute("ROLLBACK").await.is_ok();
            return match stop {
                Stop::Answer(commit) => (Ok(commit), clean),
                Stop::Storage(error) => (Err(error), clean),
                Stop::Database(error) => match Failure::of(&error) {
                    Failure::Conflict => (Ok(Commit::Stale), clean),
                    Failure::Lost => (Err(undone(&error)), false),
                    _ => (Err(undone(&error)), clean),
                },
            };
        }
    };
    match write(client, team, batch, &seqs).await {
        Ok(()) => (Ok(Commit::Done(seqs)), true),
        // The COMMIT was sent along and has ended the transaction.
        Err(Stop::Database(error)) => match Failure::of(&error) {
            Failure::Conflict => (Ok(Commit::Stale), true),
            failure => (Err(unsure(&error)), failure != Failure::Lost),
        },
        Err(Stop::Answer(commit)) => (Ok(commit), false),
        Err(Stop::Storage(error)) => (Err(error), false),
    }
}

/// Takes the locks and looks whether everything is as the decision relied on;
/// carries out the changes about people. The seqs that the writes get.
async fn look(client: &Object, begin: &str, team: TeamScope, batch: &Batch) -> Result<Vec<u64>, Stop> {
    let id = team.id().0;
    // Sorted, so that no two commits wait for each other.
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for (key, _) in &batch.expects {
        counts.entry(key.scope.to_string()).or_default();
    }
    for row in &batch.writes {
        *counts.entry(row.record.scope.to_string()).or_default() += 1;
    }
    let keys = Keys::of(batch.expects.iter().map(|(key, _)| key));
    let expected: Vec<i64> = batch.expects.iter().map(|(_, seq)| signed(*seq)).collect();
    let devices: Vec<Uuid> = batch.taken.iter().map(|(device, ..)| device.0).collect();
    let ns: Vec<i64> = batch.taken.iter().map(|(_, n, _)| signed(*n)).collect();
    let ops: Vec<Uuid> = batch.taken.iter().map(|(.., op)| op.0).collect();

    let moves = i64::from(batch.changes.iter().any(Change::moves_access));
    let notes = signed(batch.audit.len() as u64);
    let lock_team: &[&(dyn ToSql + Sync)] = &[&id, &moves, &notes];
    let team_lock = match (moves + notes > 0, batch.access.is_some()) {
        (true, _) => Some(Query { sql: MOVE_TEAM, values: lock_team }),
        (false, true) => Some(Query { sql: SHARE_TEAM, values: lock_team.get(..1).unwrap_or_default() }),
        (false, false) => None,
    };
    let counters: Vec<[&(dyn ToSql + Sync); 3]> =
        counts.iter().map(|(scope, k)| [&id as &(dyn ToSql + Sync), scope, k]).collect();
    let look_values: [&(dyn ToSql + Sync); 5] = [&id, &keys.scopes, &keys.kinds, &keys.ids, &expected];
    let take_values: [&(dyn ToSql + Sync); 5] = [&id, &devices, &ns, &ops, &batch.at];

    let mut queries: Vec<Query<'_>> = Vec::new();
    queries.extend(team_lock);
    let before_counters = queries.len();
    queries.extend(counters.iter().map(|values| Query { sql: COUNT, values }));
    queries.push(Query { sql: MOVED, values: &look_values });
    queries.push(Query { sql: TAKE, values: &take_values });

    let answers = pipelined(client, Some(begin), &queries, None).await?;
    let mut answers = answers.iter();
    let number = |rows: Option<&Vec<tokio_postgres::Row>>, i: usize| match rows.and_then(|rows| rows.first()) {
        Some(row) => unsigned(row, i),
        None => Ok(0),
    };
    let (mut access, mut noted) = (0, 0);
    if before_counters > 0 {
        let row = answers.next();
        access = number(row, 0)?.saturating_sub(moves.unsigned_abs());
        noted = number(row, 1)?.saturating_sub(notes.unsigned_abs());
        if batch.access.is_some_and(|relied| relied != access) {
            return Err(Stop::Answer(Commit::Stale));
        }
    }
    let mut next: HashMap<String, u64> = HashMap::new();
    for (scope, k) in counts {
        next.insert(scope, number(answers.next(), 0)?.saturating_sub(k.unsigned_abs()));
    }
    let (moved, took) = (number(answers.next(), 0)?, number(answers.next(), 0)?);
    if moved > 0 || took < batch.taken.len() as u64 {
        return Err(Stop::Answer(Commit::Stale));
    }
    for change in &batch.changes {
        people::change(client, team, change).await?;
    }
    if moves > 0 {
        concerned::note(client, team, access + 1, &batch.changes).await?;
    }
    people::note(client, team, noted, &batch.audit).await?;
    let mut count = |scope: &Scope| {
        let seq = next.entry(scope.to_string()).or_default();
        *seq += 1;
        *seq
    };
    Ok(batch.writes.iter().map(|row| count(&row.record.scope)).collect())
}

/// Writes the rows and ends the transaction.
async fn write(client: &Object, team: TeamScope, batch: &Batch, seqs: &[u64]) -> Result<(), Stop> {
    if batch.writes.is_empty() {
        return Ok(client.batch_execute("COMMIT").await?);
    }
    let id = team.id().0;
    // Of several images of one record the last is kept.
    let mut newest: HashMap<Key, (&Row, u64)> = HashMap::new();
    for (row, seq) in batch.writes.iter().zip(seqs) {
        newest.insert(row.key(), (row, *seq));
    }
    let rows = Columns::of(newest.into_values())?;
    let values: [&(dyn ToSql + Sync); 15] = [
        &id,
        &rows.scope,
        &rows.kind,
        &rows.id,
        &rows.seq,
        &rows.author,
        &rows.deleted,
        &rows.held,
        &rows.visible_from,
        &rows.created_at,
        &rows.updated_at,
        &rows.run_device,
        &rows.run_base,
        &rows.fields,
        &rows.decided_by,
    ];
    pipelined(client, None, &[Query { sql: PUT, values: &values }], Some("COMMIT")).await?;
    Ok(())
}

/// Keys, a column each.
pub(crate) struct Keys {
    pub(crate) scopes: Vec<String>,
    pub(crate) kinds: Vec<String>,
    pub(crate) ids: Vec<Uuid>,
}

impl Keys {
    pub(crate) fn of<'a>(keys: impl Iterator<Item = &'a Key>) -> Self {
        let mut columns = Self { scopes: Vec::new(), kinds: Vec::new(), ids: Vec::new() };
        for Key { scope, kind, id } in keys {
            columns.scopes.push(scope.to_string());
            columns.kinds.push(text(kind.as_str()));
            columns.ids.push(*id);
        }
        columns
    }
}

/// Rows, a column each.
#[derive(Default)]
struct Columns {
    scope: Vec<String>,
    kind: Vec<String>,
    id: Vec<Uuid>,
    seq: Vec<i64>,
    author: Vec<Uuid>,
    deleted: Vec<bool>,
    held: Vec<bool>,
    visible_from: Vec<Option<DateTime<Utc>>>,
    created_at: Vec<DateTime<Utc>>,
    updated_at: Vec<DateTime<Utc>>,
    run_device: Vec<Uuid>,
    run_base: Vec<i64>,
    fields: Vec<String>,
    decided_by: Vec<Option<Uuid>>,
}

impl Columns {
    fn of<'a>(rows: impl Iterator<Item = (&'a Row, u64)>) -> Result<Self, StorageError> {
        let mut columns = Self::default();
        for (row, seq) in rows {
            let record = &row.record;
            let fields = serde_json::to_string(&record.fields).map_err(|e| StorageError::Failed(e.to_string()))?;
            columns.scope.push(record.scope.to_string());
            columns.kind.push(text(record.kind.as_str()));
            columns.id.push(record.id);
            columns.seq.push(signed(seq));
            columns.author.push(record.author.0);
            columns.deleted.push(record.deleted);
            columns.held.push(row.held);
            columns.visible_from.push(record.visible_from);
            columns.created_at.push(record.created_at);
            columns.updated_at.push(record.updated_at);
            columns.run_device.push(row.run.device.0);
            columns.run_base.push(signed(row.run.base));
            columns.fields.push(fields);
            columns.decided_by.push(row.decided_by.map(|person| person.0));
        }
        Ok(columns)
    }
}

const MOVE_TEAM: &str = "UPDATE team SET access = access + $2, audited = audited + $3 WHERE team_id = $1
    RETURNING access, audited";

const SHARE_TEAM: &str = "SELECT access, audited FROM team WHERE team_id = $1 FOR SHARE";

const COUNT: &str = "INSERT INTO scope AS s (team_id, scope, seq, min_seq) VALUES ($1, $2, $3, 0)
    ON CONFLICT (team_id, scope) DO UPDATE SET seq = s.seq + excluded.seq RETURNING seq";

const MOVED: &str = "SELECT count(*)
    FROM unnest($2::text[], $3::text[], $4::uuid[], $5::bigint[]) AS e (scope, kind, id, seq)
    LEFT JOIN record AS r ON r.team_id = $1 AND r.scope = e.scope AND r.kind = e.kind AND r.id = e.id
    WHERE coalesce(r.seq, 0) <> e.seq";

const TAKE: &str = "WITH took AS (
        INSERT INTO taken (team_id, device_id, n, op_id, at)
        SELECT $1, t.device_id, t.n, t.op_id, $5
        FROM unnest($2::uuid[], $3::bigint[], $4::uuid[]) AS t (device_id, n, op_id)
        JOIN device AS d ON d.team_id = $1 AND d.device_id = t.device_id FOR KEY SHARE OF d
        ON CONFLICT DO NOTHING RETURNING 1)
    SELECT count(*) FROM took";

const PUT: &str = "INSERT INTO record (team_id, scope, kind, id, seq, author, deleted, held, visible_from,
        created_at, updated_at, run_device, run_base, fields, decided_by)
    SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::uuid[], $7::boolean[],
        $8::boolean[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::uuid[], $13::bigint[],
        $14::text[], $15::uuid[]) AS u
    ON CONFLICT (team_id, scope, kind, id) DO UPDATE SET
        seq = excluded.seq, deleted = excluded.deleted, held = excluded.held,
        visible_from = excluded.visible_from, updated_at = excluded.updated_at,
        run_device = excluded.run_device, run_base = excluded.run_base, fields = excluded.fields,
        decided_by = excluded.decided_by";
