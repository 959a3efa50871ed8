//! The `Storage` trait, call by call. Every statement names its team, though
//! row-level security would keep it to it anyway.

// long: one short method for each call of the trait

use crate::Postgres;
use crate::commit::Keys;
use crate::connections::Query;
use crate::row::{self, ACCOUNT, AUDIT, DEVICE, INVITE, RECORD, TOKEN, at_most, get, signed, text, unsigned};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId, PersonId, TeamId};
use meantime_protocol::{Epoch, Kind, Scope};
use meantime_server_core::pokes::Moved;
use meantime_server_core::row::weight_of;
use meantime_server_core::storage::{
    Account, Attempts, AuditEntry, Batch, Bearer, Changes, Commit, Concerned, Current, Device, Invite, Limit, Page,
    Standing, Sweep, Taken, Team, Token, Tried,
};
use meantime_server_core::{Key, Row, SecretHash, Storage, StorageError, TeamScope};
use tokio_postgres::Row as Columns;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// The values of a statement after `$1`, which is the team.
type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Postgres {
    async fn rows(&self, team: TeamScope, sql: &str, values: Values<'_>) -> Result<Vec<Columns>, StorageError> {
        let id = team.id().0;
        let values = after(&id, values);
        let rows = self.connections.read(team, &[Query { sql, values: &values }]).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    async fn list<T>(
        &self,
        team: TeamScope,
        sql: &str,
        values: Values<'_>,
        of: impl Fn(&Columns) -> Result<T, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        self.rows(team, sql, values).await?.iter().map(of).collect()
    }

    async fn first<T>(
        &self,
        team: TeamScope,
        sql: &str,
        values: Values<'_>,
        of: impl Fn(&Columns) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        self.rows(team, sql, values).await?.first().map(of).transpose()
    }

    pub(crate) async fn write(
        &self,
        team: TeamScope,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Vec<Columns>, StorageError> {
        let id = team.id().0;
        let values = after(&id, values);
        let rows = self.connections.write(team, &[Query { sql, values: &values }]).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// A page and its counter. `filter` and `order` are of the statement's
    /// own; `$2` is the scope, `$3` the reader, `$4` the seq, `$5` and `$6`
    /// the limit.
    async fn page(
        &self,
        team: TeamScope,
        (scope, reader, seq, limit): (Scope, PersonId, u64, Limit),
        (filter, guest, order): (&str, bool, &str),
    ) -> Result<Page, StorageError> {
        let only = if guest { GUEST } else { "" };
        // Sizes are added up in the database, so that what won't be on the
        // page is not sent. A row stands on it if those before it don't fill it.
        let sql = format!(
            "SELECT {RECORD}, r.found FROM (
                 SELECT p.*, count(*) OVER () AS found,
                     coalesce(sum(octet_length(p.fields)) OVER (ORDER BY p.seq {order}
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS filled
                 FROM (SELECT r.* FROM record AS r WHERE r.team_id = $1 AND r.scope = $2
                           AND (NOT r.held OR r.author = $3) AND {filter} {only}
                       ORDER BY r.seq {order} LIMIT $5::bigint + 1) AS p
             ) AS r WHERE r.filled <= $6::bigint ORDER BY r.seq {order} LIMIT $5::bigint"
        );
        let (id, scope) = (team.id().0, scope.to_string());
        let (seq, rows, bytes) = (signed(seq), at_most(limit.rows).min(i64::MAX - 1), at_most(limit.bytes));
        let counter = "SELECT seq, min_seq FROM scope WHERE team_id = $1 AND scope = $2";
        let queries = [
            Query { sql: counter, values: &[&id, &scope] },
            Query { sql: &sql, values: &[&id, &scope, &reader.0, &seq, &rows, &bytes] },
        ];
        let mut answers = self.connections.read(team, &queries).await?.into_iter();
        let (counter, rows) = (answers.next().unwrap_or_default(), answers.next().unwrap_or_default());
        let mut page = Page::default();
        if let Some(counter) = counter.first() {
            (page.upto, page.min_seq) = (unsigned(counter, 0)?, unsigned(counter, 1)?);
        }
        if let Some(first) = rows.first() {
            page.more = get::<i64>(first, 14)? > at_most(rows.len());
        }
        let mut filled = 0;
        for columns in &rows {
            // Text is added up there; what it holds is found out here.
            if filled > limit.bytes {
                page.more = true;
                break;
            }
            let record = row::record(columns)?;
            filled += weight_of(get::<&str>(columns, 10)?.len(), &record.fields);
            page.rows.push(record);
        }
        Ok(page)
    }
}

#[async_trait]
impl Storage for Postgres {
    async fn epoch(&self) -> Result<Epoch, StorageError> {
        Ok(self.connections.epoch())
    }

    async fn writable(&self) -> Result<(), StorageError> {
        // A word in the log that is kept like a commit, and locks no row.
        let sql = "SELECT pg_logical_emit_message(true, 'meantime', ''::text)::text,
                       current_setting('transaction_read_only')::boolean";
        let rows = self.connections.lookup(Query { sql, values: &[] }).await?;
        match rows.first().map(|columns| get(columns, 1)).transpose()? {
            Some(false) => Ok(()),
            _ => Err(StorageError::Failed("the database is read-only".to_owned())),
        }
    }

    async fn bearer(&self, token: SecretHash) -> Result<Option<Bearer>, StorageError> {
        self.find_bearer(token).await
    }

    async fn invite(&self, secret: SecretHash) -> Result<Option<Invite>, StorageError> {
        let wanted: &[u8] = &secret.0;
        let sql = "SELECT team_id FROM meantime.team_of_invite($1)";
        let found = self.connections.lookup(Query { sql, values: &[&wanted] }).await?;
        let Some(found) = found.first() else { return Ok(None) };
        let team = TeamScope::operator(TeamId(get(found, 0)?));
        let sql = format!("SELECT {INVITE} FROM invite WHERE team_id = $1 AND secret = $2");
        self.first(team, &sql, &[&wanted], row::invite).await
    }

    async fn teams(&self) -> Result<Vec<Team>, StorageError> {
        let sql = "SELECT team_id, name FROM meantime.all_teams()";
        self.connections.lookup(Query { sql, values: &[] }).await?.iter().map(row::team).collect()
    }

    async fn next_held(&self) -> Result<Option<(DateTime<Utc>, TeamId)>, StorageError> {
        let sql = "SELECT visible_from, team_id FROM meantime.next_held()";
        let found = self.connections.lookup(Query { sql, values: &[] }).await?;
        found.first().map(|columns| Ok((get(columns, 0)?, TeamId(get(columns, 1)?)))).transpose()
    }

    async fn found(&self, team: TeamScope, name: &str, at: DateTime<Utc>) -> Result<(), StorageError> {
        let sql = "INSERT INTO team (team_id, name, founded_at) VALUES ($1, $2, $3)";
        self.write(team, sql, &[&text(name), &at]).await.map(drop)
    }

    async fn team(&self, team: TeamScope) -> Result<Option<Team>, StorageError> {
        self.first(team, "SELECT team_id, name FROM team WHERE team_id = $1", &[], row::team).await
    }

    async fn get(&self, team: TeamScope, keys: &[Key]) -> Result<Vec<Option<Row>>, StorageError> {
        let sql = format!(
            "SELECT {RECORD}, k.nth FROM unnest($2::text[], $3::text[], $4::uuid[])
                 WITH ORDINALITY AS k (scope, kind, id, nth)
             JOIN record AS r ON r.team_id = $1 AND r.scope = k.scope AND r.kind = k.kind AND r.id = k.id"
        );
        let Keys { scopes, kinds, ids } = Keys::of(keys.iter());
        let mut rows = vec![None; keys.len()];
        for columns in self.rows(team, &sql, &[&scopes, &kinds, &ids]).await? {
            put(&mut rows, unsigned(&columns, 14)?, row::stored(&columns)?);
        }
        Ok(rows)
    }

    async fn taken(&self, team: TeamScope, device: DeviceId, ns: &[u64]) -> Result<Taken, StorageError> {
        let taken = "SELECT w.nth, t.op_id FROM unnest($3::bigint[]) WITH ORDINALITY AS w (n, nth)
                     JOIN taken AS t ON t.team_id = $1 AND t.device_id = $2 AND t.n = w.n";
        let forgotten = "SELECT forgotten FROM device WHERE team_id = $1 AND device_id = $2";
        let (id, wanted): (Uuid, Vec<i64>) = (team.id().0, ns.iter().map(|n| signed(*n)).collect());
        let queries = [
            Query { sql: taken, values: &[&id, &device.0, &wanted] },
            Query { sql: forgotten, values: &[&id, &device.0] },
        ];
        let mut answers = self.connections.read(team, &queries).await?.into_iter();
        let (taken, forgotten) = (answers.next().unwrap_or_default(), answers.next().unwrap_or_default());
        let mut ops = vec![None; ns.len()];
        for columns in taken {
            put(&mut ops, unsigned(&columns, 0)?, OpId(get(&columns, 1)?));
        }
        let forgotten: Option<i64> = forgotten.first().map(|columns| get(columns, 0)).transpose()?.flatten();
        Ok(Taken { ops, forgotten: forgotten.map(i64::unsigned_abs) })
    }

    async fn commit(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError> {
        self.carry_out(team, batch).await
    }

    async fn upto(&self, team: TeamScope, scopes: &[Scope]) -> Result<Vec<u64>, StorageError> {
        let sql = "SELECT w.nth, s.seq FROM unnest($2::text[]) WITH ORDINALITY AS w (scope, nth)
                   JOIN scope AS s ON s.team_id = $1 AND s.scope = w.scope";
        let wanted: Vec<String> = scopes.iter().map(Scope::to_string).collect();
        let mut upto = vec![0; scopes.len()];
        for columns in self.rows(team, sql, &[&wanted]).await? {
            put_plain(&mut upto, unsigned(&columns, 0)?, unsigned(&columns, 1)?);
        }
        Ok(upto)
    }

    async fn newer(&self, known: &[Moved]) -> Result<Vec<Moved>, StorageError> {
        let teams: Vec<Uuid> = known.iter().map(|feed| feed.team.0).collect();
        let scopes: Vec<String> = known.iter().map(|feed| feed.scope.to_string()).collect();
        let seqs: Vec<i64> = known.iter().map(|feed| signed(feed.seq)).collect();
        let sql = "SELECT nth, seq FROM meantime.newer($1, $2, $3)";
        let rows = self.connections.lookup(Query { sql, values: &[&teams, &scopes, &seqs] }).await?;
        let mut places: Vec<Moved> = known.to_vec();
        let mut newer = Vec::with_capacity(rows.len());
        for columns in rows {
            if let Some(feed) = nth(&mut places, unsigned(&columns, 0)?) {
                newer.push(Moved { seq: unsigned(&columns, 1)?, ..*feed });
            }
        }
        Ok(newer)
    }

    async fn access_moved(&self, known: &[(TeamId, u64)]) -> Result<Vec<(TeamId, u64)>, StorageError> {
        let teams: Vec<Uuid> = known.iter().map(|(team, _)| team.0).collect();
        let numbers: Vec<i64> = known.iter().map(|(_, access)| signed(*access)).collect();
        let sql = "SELECT nth, access FROM meantime.access_moved($1, $2)";
        let rows = self.connections.lookup(Query { sql, values: &[&teams, &numbers] }).await?;
        let mut places: Vec<(TeamId, u64)> = known.to_vec();
        let mut moved = Vec::with_capacity(rows.len());
        for columns in rows {
            if let Some((team, _)) = nth(&mut places, unsigned(&columns, 0)?) {
                moved.push((*team, unsigned(&columns, 1)?));
            }
        }
        Ok(moved)
    }

    async fn concerned(&self, team: TeamScope, after: u64, upto: u64) -> Result<Option<Vec<Concerned>>, StorageError> {
        self.find_concerned(team, after, upto).await
    }

    async fn scopes(&self, team: TeamScope, after: Option<Scope>, limit: usize) -> Result<Vec<Scope>, StorageError> {
        let sql = "SELECT scope FROM scope WHERE team_id = $1 AND scope > $2 ORDER BY scope LIMIT $3";
        let after = after.map(|scope| scope.to_string()).unwrap_or_default();
        self.list(team, sql, &[&after, &at_most(limit)], row::scope).await
    }

    async fn changes(&self, team: TeamScope, from: &Changes) -> Result<Page, StorageError> {
        let Changes { scope, reader, guest, after, limit } = *from;
        self.page(team, (scope, reader, after, limit), ("r.seq > $4", guest, "ASC")).await
    }

    async fn current(&self, team: TeamScope, from: &Current) -> Result<Page, StorageError> {
        let Current { scope, reader, guest, first, below, limit } = *from;
        // Written as the index `record_first` has it, so that it is used.
        let filter = if first {
            "r.seq < $4 AND NOT r.deleted AND r.kind IN ('agreement', 'focus', 'member', 'schedule')"
        } else {
            "r.seq < $4 AND NOT r.deleted AND r.kind NOT IN ('agreement', 'focus', 'member', 'schedule')"
        };
        self.page(team, (scope, reader, below, limit), (filter, guest, "DESC")).await
    }

    async fn held(&self, team: TeamScope, due: DateTime<Utc>, limit: usize) -> Result<Vec<Row>, StorageError> {
        let sql = format!(
            "SELECT {RECORD} FROM record AS r
             WHERE r.team_id = $1 AND r.held AND NOT r.deleted AND r.visible_from <= $2
             ORDER BY r.visible_from, r.created_at, r.kind DESC LIMIT $3"
        );
        self.list(team, &sql, &[&due, &at_most(limit)], row::stored).await
    }

    async fn rows(
        &self,
        team: TeamScope,
        scope: Scope,
        kind: &Kind,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Row>, StorageError> {
        let sql = format!(
            "SELECT {RECORD} FROM record AS r WHERE r.team_id = $1 AND r.scope = $2 AND r.kind = $3
                 AND ($4::uuid IS NULL OR r.id > $4)
             ORDER BY r.id LIMIT $5"
        );
        let values: Values<'_> = &[&scope.to_string(), &text(kind.as_str()), &after, &at_most(limit)];
        self.list(team, &sql, values, row::stored).await
    }

    async fn sweep(&self, team: TeamScope, old: &Sweep) -> Result<u64, StorageError> {
        self.forget(team, old).await
    }

    async fn access(&self, team: TeamScope) -> Result<u64, StorageError> {
        let sql = "SELECT access FROM team WHERE team_id = $1";
        Ok(self.first(team, sql, &[], |columns| unsigned(columns, 0)).await?.unwrap_or_default())
    }

    async fn standing(&self, team: TeamScope, device: DeviceId) -> Result<Option<Standing>, StorageError> {
        self.find_standing(team, device).await
    }

    async fn devices(&self, team: TeamScope, person: PersonId) -> Result<Vec<Device>, StorageError> {
        let sql =
            format!("SELECT {DEVICE} FROM device WHERE team_id = $1 AND person_id = $2 ORDER BY since, device_id");
        self.list(team, &sql, &[&person.0], row::device).await
    }

    async fn tokens(&self, team: TeamScope, device: DeviceId) -> Result<Vec<Token>, StorageError> {
        let sql = format!("SELECT {TOKEN} FROM token WHERE team_id = $1 AND device_id = $2 ORDER BY issued_at");
        self.list(team, &sql, &[&device.0], row::token).await
    }

    async fn seen(&self, team: TeamScope, device: DeviceId, at: DateTime<Utc>) -> Result<(), StorageError> {
        let sql = "UPDATE device SET seen_at = $3 WHERE team_id = $1 AND device_id = $2";
        self.write(team, sql, &[&device.0, &at]).await.map(drop)
    }

    async fn account(&self, team: TeamScope, person: PersonId) -> Result<Option<Account>, StorageError> {
        let sql = format!("SELECT {ACCOUNT} FROM account WHERE team_id = $1 AND person_id = $2");
        self.first(team, &sql, &[&person.0], row::account).await
    }

    async fn account_named(&self, team: TeamScope, login: &str) -> Result<Option<Account>, StorageError> {
        let sql = format!("SELECT {ACCOUNT} FROM account WHERE team_id = $1 AND login = $2");
        self.first(team, &sql, &[&text(login)], row::account).await
    }

    async fn authenticators(&self, team: TeamScope) -> Result<Vec<Account>, StorageError> {
        let sql =
            format!("SELECT {ACCOUNT} FROM account WHERE team_id = $1 AND totp_secret IS NOT NULL ORDER BY person_id");
        self.list(team, &sql, &[], row::account).await
    }

    async fn circles(&self, team: TeamScope, people: &[PersonId]) -> Result<Vec<Vec<Uuid>>, StorageError> {
        let sql = "SELECT w.nth, c.circle_id FROM unnest($2::uuid[]) WITH ORDINALITY AS w (person_id, nth)
                   JOIN circle AS c ON c.team_id = $1 AND c.person_id = w.person_id ORDER BY c.circle_id";
        let wanted: Vec<Uuid> = people.iter().map(|person| person.0).collect();
        let mut circles = vec![Vec::new(); people.len()];
        for columns in self.rows(team, sql, &[&wanted]).await? {
            if let Some(theirs) = nth(&mut circles, unsigned(&columns, 0)?) {
                theirs.push(get(&columns, 1)?);
            }
        }
        Ok(circles)
    }

    async fn invites(&self, team: TeamScope, now: DateTime<Utc>) -> Result<Vec<Invite>, StorageError> {
        let sql = format!("SELECT {INVITE} FROM invite WHERE team_id = $1 AND NOT used AND expires_at > $2");
        self.list(team, &sql, &[&now], row::invite).await
    }

    async fn attempts(&self, team: TeamScope, of: Tried) -> Result<Option<Attempts>, StorageError> {
        let found = |columns: &Columns| Ok(Attempts { failures: failures(columns)?, at: get(columns, 1)? });
        match of {
            Tried::Person(person) => {
                let sql = "SELECT failures, failed_at FROM account
                           WHERE team_id = $1 AND person_id = $2 AND failures > 0";
                self.first(team, sql, &[&person.0], found).await
            }
            Tried::Slot(slot) => {
                let sql = "SELECT failures, until FROM attempts WHERE team_id = $1 AND slot = $2";
                self.first(team, sql, &[&i32::from(slot)], found).await
            }
        }
    }

    async fn failed(
        &self,
        team: TeamScope,
        of: Tried,
        at: DateTime<Utc>,
        since: DateTime<Utc>,
    ) -> Result<u32, StorageError> {
        let counted = match of {
            Tried::Person(person) => {
                let sql = "UPDATE account SET failures = CASE WHEN failed_at < $4 THEN 1 ELSE failures + 1 END,
                               failed_at = $3
                           WHERE team_id = $1 AND person_id = $2 RETURNING failures";
                self.write(team, sql, &[&person.0, &at, &since]).await?
            }
            Tried::Slot(slot) => {
                let sql = "INSERT INTO attempts AS a (team_id, slot, failures, until) VALUES ($1, $2, 1, $3)
                           ON CONFLICT (team_id, slot) DO UPDATE SET until = excluded.until,
                               failures = CASE WHEN a.until < $4 THEN 1 ELSE a.failures + 1 END
                           RETURNING failures";
                self.write(team, sql, &[&i32::from(slot), &at, &since]).await?
            }
        };
        counted.first().map_or(Ok(1), failures)
    }

    async fn forget_attempts(&self, team: TeamScope, of: Tried) -> Result<(), StorageError> {
        match of {
            Tried::Person(person) => {
                let sql = "UPDATE account SET failures = 0 WHERE team_id = $1 AND person_id = $2";
                self.write(team, sql, &[&person.0]).await.map(drop)
            }
            Tried::Slot(slot) => {
                let sql = "DELETE FROM attempts WHERE team_id = $1 AND slot = $2";
                self.write(team, sql, &[&i32::from(slot)]).await.map(drop)
            }
        }
    }

    async fn audit(&self, team: TeamScope, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StorageError> {
        let sql = format!("SELECT {AUDIT} FROM audit WHERE team_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3");
        let before = before.map_or(i64::MAX, signed);
        self.list(team, &sql, &[&before, &at_most(limit)], row::audit).await
    }
}

/// What a guest sees of the team's feed (`Changes::guest`).
const GUEST: &str = "AND (r.kind = 'agreement' OR (r.kind IN ('focus', 'member', 'schedule')
    AND (r.id = $3 OR r.id IN (
        SELECT other.person_id FROM circle AS mine JOIN circle AS other USING (team_id, circle_id)
        WHERE mine.team_id = $1 AND mine.person_id = $3))))";

fn after<'a>(team: &'a Uuid, values: Values<'a>) -> Vec<&'a (dyn ToSql + Sync)> {
    std::iter::once(team as &(dyn ToSql + Sync)).chain(values.iter().copied()).collect()
}

/// The place of an ordinality, which counts from 1.
fn nth<T>(places: &mut [T], nth: u64) -> Option<&mut T> {
    places.get_mut(usize::try_from(nth).ok()?.checked_sub(1)?)
}

/// Of the first column, which counts failed tries.
fn failures(columns: &Columns) -> Result<u32, StorageError> {
    Ok(u32::try_from(unsigned(columns, 0)?).unwrap_or(u32::MAX))
}

fn put<T>(places: &mut [Option<T>], at: u64, value: T) {
    put_plain(places, at, Some(value));
}

fn put_plain<T>(places: &mut [T], at: u64, value: T) {
    if let Some(place) = nth(places, at) {
        *place = value;
    }
}
