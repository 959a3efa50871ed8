//! Between columns and values. Numbers that SQLite can't hold don't get here:
//! a seq is counted by it, other numbers are refused before.

use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Kind, Record};
use meantime_server_core::{Row, Run, SecretHash, storage};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Error, Row as Columns};
use std::str::FromStr;
use uuid::Uuid;

/// What [`stored`] and [`record`] read, in their order.
pub(crate) const COLUMNS: &str = "scope, kind, id, seq, author, deleted, held, visible_from, created_at, updated_at, fields, run_device, run_base, \
     decided_by";

pub(crate) fn stored(columns: &Columns<'_>) -> Result<Row, Error> {
    Ok(Row {
        record: record(columns)?,
        held: columns.get(6)?,
        run: Run { device: DeviceId(uuid(columns, 11)?), base: unsigned(columns, 12)? },
        decided_by: maybe_uuid(columns, 13)?.map(PersonId),
    })
}

pub(crate) fn record(columns: &Columns<'_>) -> Result<Record, Error> {
    let at = |i| columns.get::<_, Option<i64>>(i)?.map(|ms| time(i, ms)).transpose();
    let fields = columns.get_ref(10)?.as_str().map_err(|e| wrong(10, e))?;
    Ok(Record {
        scope: parsed(columns, 0)?,
        kind: Kind::new(columns.get_ref(1)?.as_str().map_err(|e| wrong(1, e))?),
        id: uuid(columns, 2)?,
        seq: unsigned(columns, 3)?,
        author: PersonId(uuid(columns, 4)?),
        deleted: columns.get(5)?,
        visible_from: at(7)?,
        created_at: time(8, columns.get(8)?)?,
        updated_at: time(9, columns.get(9)?)?,
        fields: serde_json::from_str(fields).map_err(|e| wrong(10, e))?,
    })
}

/// What [`invite`] reads, in its order.
pub(crate) const INVITE: &str = "team_id, secret, role, expires_at, used, by_person, for_person";

pub(crate) fn invite(columns: &Columns<'_>) -> Result<storage::Invite, Error> {
    Ok(storage::Invite {
        team: TeamId(uuid(columns, 0)?),
        secret: SecretHash(columns.get(1)?),
        role: role(columns, 2)?,
        expires_at: time(3, columns.get(3)?)?,
        used: columns.get(4)?,
        by: maybe_uuid(columns, 5)?.map(PersonId),
        person: maybe_uuid(columns, 6)?.map(PersonId),
    })
}

/// What [`device`] reads, in its order.
pub(crate) const DEVICE: &str = "team_id, device_id, person_id, name, since, seen_at";

pub(crate) fn device(columns: &Columns<'_>) -> Result<storage::Device, Error> {
    Ok(storage::Device {
        team: TeamId(uuid(columns, 0)?),
        id: DeviceId(uuid(columns, 1)?),
        person: PersonId(uuid(columns, 2)?),
        name: columns.get(3)?,
        since: time(4, columns.get(4)?)?,
        seen_at: time(5, columns.get(5)?)?,
    })
}

/// What [`token`] reads, in its order.
pub(crate) const TOKEN: &str = "token, device_id, issued_at, used, retired_at";

pub(crate) fn token(columns: &Columns<'_>) -> Result<storage::Token, Error> {
    Ok(storage::Token {
        hash: SecretHash(columns.get(0)?),
        device: DeviceId(uuid(columns, 1)?),
        issued_at: time(2, columns.get(2)?)?,
        used: columns.get(3)?,
        retired_at: columns.get::<_, Option<i64>>(4)?.map(|ms| time(4, ms)).transpose()?,
    })
}

/// What [`account`] reads, in its order.
pub(crate) const ACCOUNT: &str = "person_id, login, password, totp_secret, totp_confirmed, totp_step";

pub(crate) fn account(columns: &Columns<'_>) -> Result<storage::Account, Error> {
    let (confirmed, last_step) = (columns.get(4)?, unsigned(columns, 5)?);
    let secret: Option<Vec<u8>> = columns.get(3)?;
    Ok(storage::Account {
        person: PersonId(uuid(columns, 0)?),
        login: columns.get(1)?,
        password: columns.get(2)?,
        totp: secret.map(|secret| storage::Totp { secret, confirmed, last_step }),
    })
}

/// What [`audit`] reads, in its order.
pub(crate) const AUDIT: &str = "seq, at, what, by_person, by_device, about, note";

pub(crate) fn audit(columns: &Columns<'_>) -> Result<storage::AuditEntry, Error> {
    Ok(storage::AuditEntry {
        seq: unsigned(columns, 0)?,
        at: time(1, columns.get(1)?)?,
        what: columns.get(2)?,
        by: maybe_uuid(columns, 3)?.map(PersonId),
        device: maybe_uuid(columns, 4)?.map(DeviceId),
        about: maybe_uuid(columns, 5)?,
        note: columns.get(6)?,
    })
}

/// `team_id, name`.
pub(crate) fn team(columns: &Columns<'_>) -> Result<storage::Team, Error> {
    Ok(storage::Team { id: TeamId(uuid(columns, 0)?), name: columns.get(1)? })
}

pub(crate) fn uuid(columns: &Columns<'_>, i: usize) -> Result<Uuid, Error> {
    columns.get::<_, [u8; 16]>(i).map(Uuid::from_bytes)
}

fn maybe_uuid(columns: &Columns<'_>, i: usize) -> Result<Option<Uuid>, Error> {
    Ok(columns.get::<_, Option<[u8; 16]>>(i)?.map(Uuid::from_bytes))
}

pub(crate) fn unsigned(columns: &Columns<'_>, i: usize) -> Result<u64, Error> {
    u64::try_from(columns.get::<_, i64>(i)?).map_err(|e| wrong(i, e))
}

/// A number for SQLite; one that is too big is greater than any it has.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn time(i: usize, ms: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_millis(ms).ok_or_else(|| wrong(i, FromSqlError::OutOfRange(ms)))
}

pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Member => "member",
        Role::Guest => "guest",
    }
}

fn role(columns: &Columns<'_>, i: usize) -> Result<Role, Error> {
    let name: String = columns.get(i)?;
    serde_json::from_value(name.into()).map_err(|e| wrong(i, e))
}

pub(crate) fn parsed<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    columns: &Columns<'_>,
    i: usize,
) -> Result<T, Error> {
    columns.get_ref(i)?.as_str().map_err(|e| wrong(i, e))?.parse().map_err(|e| wrong(i, e))
}

fn wrong(i: usize, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::FromSqlConversionFailure(i, Type::Text, Box::new(error))
}
