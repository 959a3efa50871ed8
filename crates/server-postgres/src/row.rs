//! Between columns and values. A seq is counted by the database, so it fits
//! its bigint; other numbers that don't were refused before.

use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Kind, Record, Scope};
use meantime_server_core::{Row, Run, SecretHash, StorageError, storage};
use std::str::FromStr;
use tokio_postgres::Row as Columns;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

/// What [`stored`] and [`record`] read, in their order; of a table called `r`.
pub(crate) const RECORD: &str = "r.scope, r.kind, r.id, r.seq, r.author, r.deleted, r.held, r.visible_from, \
                                 r.created_at, r.updated_at, r.fields, r.run_device, r.run_base, r.decided_by";
/// What [`invite`] reads.
pub(crate) const INVITE: &str = "team_id, secret, role, expires_at, used, by_person, for_person";
/// What [`device`] reads.
pub(crate) const DEVICE: &str = "team_id, device_id, person_id, name, since, seen_at";
/// What [`token`] reads.
pub(crate) const TOKEN: &str = "token, device_id, issued_at, used, retired_at";
/// What [`account`] reads.
pub(crate) const ACCOUNT: &str = "person_id, login, password, totp_secret, totp_confirmed, totp_step";
/// What [`audit`] reads.
pub(crate) const AUDIT: &str = "seq, at, what, by_person, by_device, about, note";

pub(crate) type Read<T> = Result<T, StorageError>;

/// One column of a row.
pub(crate) fn get<'a, T: FromSql<'a>>(columns: &'a Columns, i: usize) -> Read<T> {
    columns.try_get(i).map_err(|e| wrong(i, &e))
}

pub(crate) fn stored(columns: &Columns) -> Read<Row> {
    Ok(Row {
        record: record(columns)?,
        held: get(columns, 6)?,
        run: Run { device: DeviceId(get(columns, 11)?), base: unsigned(columns, 12)? },
        decided_by: get::<Option<Uuid>>(columns, 13)?.map(PersonId),
    })
}

pub(crate) fn record(columns: &Columns) -> Read<Record> {
    Ok(Record {
        scope: parsed(columns, 0)?,
        kind: Kind::new(get::<&str>(columns, 1)?),
        id: get(columns, 2)?,
        seq: unsigned(columns, 3)?,
        author: PersonId(get(columns, 4)?),
        deleted: get(columns, 5)?,
        visible_from: get(columns, 7)?,
        created_at: get(columns, 8)?,
        updated_at: get(columns, 9)?,
        fields: serde_json::from_str(get(columns, 10)?).map_err(|e| wrong(10, &e))?,
    })
}

pub(crate) fn invite(columns: &Columns) -> Read<storage::Invite> {
    Ok(storage::Invite {
        team: TeamId(get(columns, 0)?),
        secret: hash(columns, 1)?,
        role: role(columns, 2)?,
        expires_at: get(columns, 3)?,
        used: get(columns, 4)?,
        by: get::<Option<Uuid>>(columns, 5)?.map(PersonId),
        person: get::<Option<Uuid>>(columns, 6)?.map(PersonId),
    })
}

pub(crate) fn device(columns: &Columns) -> Read<storage::Device> {
    Ok(storage::Device {
        team: TeamId(get(columns, 0)?),
        id: DeviceId(get(columns, 1)?),
        person: PersonId(get(columns, 2)?),
        name: get(columns, 3)?,
        since: get(columns, 4)?,
        seen_at: get(columns, 5)?,
    })
}

pub(crate) fn token(columns: &Columns) -> Read<storage::Token> {
    Ok(storage::Token {
        hash: hash(columns, 0)?,
        device: DeviceId(get(columns, 1)?),
        issued_at: get(columns, 2)?,
        used: get(columns, 3)?,
        retired_at: get(columns, 4)?,
    })
}

pub(crate) fn account(columns: &Columns) -> Read<storage::Account> {
    let (confirmed, last_step) = (get(columns, 4)?, unsigned(columns, 5)?);
    let secret: Option<Vec<u8>> = get(columns, 3)?;
    Ok(storage::Account {
        person: PersonId(get(columns, 0)?),
        login: get(columns, 1)?,
        password: get(columns, 2)?,
        totp: secret.map(|secret| storage::Totp { secret, confirmed, last_step }),
    })
}

pub(crate) fn audit(columns: &Columns) -> Read<storage::AuditEntry> {
    Ok(storage::AuditEntry {
        seq: unsigned(columns, 0)?,
        at: get(columns, 1)?,
        what: get(columns, 2)?,
        by: get::<Option<Uuid>>(columns, 3)?.map(PersonId),
        device: get::<Option<Uuid>>(columns, 4)?.map(DeviceId),
        about: get(columns, 5)?,
        note: get(columns, 6)?,
    })
}

/// `team_id, name`.
pub(crate) fn team(columns: &Columns) -> Read<storage::Team> {
    Ok(storage::Team { id: TeamId(get(columns, 0)?), name: get(columns, 1)? })
}

pub(crate) fn unsigned(columns: &Columns, i: usize) -> Read<u64> {
    u64::try_from(get::<i64>(columns, i)?).map_err(|e| wrong(i, &e))
}

/// A number for PostgreSQL; one that is too big is greater than any it has.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Member => "member",
        Role::Guest => "guest",
    }
}

fn role(columns: &Columns, i: usize) -> Read<Role> {
    let name: String = get(columns, i)?;
    serde_json::from_value(name.into()).map_err(|e| wrong(i, &e))
}

fn hash(columns: &Columns, i: usize) -> Read<SecretHash> {
    <[u8; 32]>::try_from(get::<&[u8]>(columns, i)?).map(SecretHash).map_err(|e| wrong(i, &e))
}

/// `scope`.
pub(crate) fn scope(columns: &Columns) -> Read<Scope> {
    parsed(columns, 0)
}

fn parsed<T: FromStr<Err: std::error::Error>>(columns: &Columns, i: usize) -> Read<T> {
    get::<&str>(columns, i)?.parse().map_err(|e: T::Err| wrong(i, &e))
}

pub(crate) fn at_most(limit: usize) -> i64 {
    signed(limit as u64)
}

/// A row is not what the server writes. Its values stay out of the message.
fn wrong(i: usize, error: &dyn std::error::Error) -> StorageError {
    StorageError::Failed(format!("column {i} of a row is not of its form: {error}"))
}

/// A text that PostgreSQL takes: it has no place for U+0000. Nothing that the
/// rules let in has one, but what is only asked for may.
pub(crate) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
