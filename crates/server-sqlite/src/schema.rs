//! The tables, and how older ones become them. Additive: a column or table
//! is never renamed or dropped.

use crate::open::OpenError;
use crate::upkeep::copy;
use meantime_protocol::Epoch;
use rusqlite::{Connection, Error, Transaction, TransactionBehavior};
use std::path::Path;

/// "Mntm": says whose file it is.
pub(crate) const APPLICATION: i64 = 0x4d6e_746d;

/// One step each, from the version of its index to the next.
const MIGRATIONS: [&str; 5] = [TABLES, PEOPLE, FAILURES, SEALED, DECIDED];

/// The version that they come to.
const KNOWN: i64 = MIGRATIONS.len() as i64;

// Instants are milliseconds since 1970, ids their 16 bytes. Every primary key
// begins with the team, so that the tables can be divided by it.
const TABLES: &str = "
CREATE TABLE life (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    epoch INTEGER NOT NULL
) STRICT;

CREATE TABLE team (
    team_id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    founded_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    team_id BLOB NOT NULL REFERENCES team,
    device_id BLOB NOT NULL,
    person_id BLOB NOT NULL,
    token BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (team_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE invite (
    team_id BLOB NOT NULL REFERENCES team,
    secret BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (team_id, secret)
) STRICT, WITHOUT ROWID;

CREATE TABLE taken (
    team_id BLOB NOT NULL,
    device_id BLOB NOT NULL,
    n INTEGER NOT NULL,
    op_id BLOB NOT NULL,
    PRIMARY KEY (team_id, device_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE scope (
    team_id BLOB NOT NULL REFERENCES team,
    scope TEXT NOT NULL,
    seq INTEGER NOT NULL,
    min_seq INTEGER NOT NULL,
    PRIMARY KEY (team_id, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
    team_id BLOB NOT NULL,
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    author BLOB NOT NULL,
    deleted INTEGER NOT NULL,
    held INTEGER NOT NULL,
    visible_from INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    run_device BLOB NOT NULL,
    run_base INTEGER NOT NULL,
    fields TEXT NOT NULL,
    PRIMARY KEY (team_id, scope, kind, id),
    FOREIGN KEY (team_id, scope) REFERENCES scope
) STRICT;
CREATE UNIQUE INDEX record_feed ON record (team_id, scope, seq);
CREATE INDEX record_first ON record (team_id, scope, seq)
    WHERE kind IN ('agreement', 'focus', 'member', 'schedule');
CREATE INDEX record_held ON record (visible_from, team_id) WHERE held = 1 AND deleted = 0;
CREATE INDEX record_gone ON record (team_id, updated_at) WHERE deleted = 1;
";

// Tokens have a table of their own since a device has several in its life;
// `device.token` is the one it joined with. Op numbers that are there already
// count from now, so that they are kept as long as new ones.
const PEOPLE: &str = "
ALTER TABLE team ADD COLUMN access INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN forgotten INTEGER;
ALTER TABLE invite ADD COLUMN by_person BLOB;
ALTER TABLE invite ADD COLUMN for_person BLOB;
ALTER TABLE taken ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
UPDATE taken SET at = unixepoch() * 1000;
UPDATE device SET seen_at = since;
CREATE INDEX device_person ON device (team_id, person_id);

CREATE TABLE token (
    team_id BLOB NOT NULL,
    device_id BLOB NOT NULL,
    token BLOB NOT NULL UNIQUE,
    issued_at INTEGER NOT NULL,
    used INTEGER NOT NULL,
    retired_at INTEGER,
    PRIMARY KEY (team_id, device_id, token),
    FOREIGN KEY (team_id, device_id) REFERENCES device ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO token (team_id, device_id, token, issued_at, used, retired_at)
    SELECT team_id, device_id, token, since, 1, NULL FROM device;

CREATE TABLE account (
    team_id BLOB NOT NULL REFERENCES team,
    person_id BLOB NOT NULL,
    login TEXT NOT NULL,
    password TEXT NOT NULL,
    totp_secret BLOB,
    totp_confirmed INTEGER NOT NULL,
    totp_step INTEGER NOT NULL,
    PRIMARY KEY (team_id, person_id),
    UNIQUE (team_id, login)
) STRICT, WITHOUT ROWID;

CREATE TABLE circle (
    team_id BLOB NOT NULL REFERENCES team,
    circle_id BLOB NOT NULL,
    person_id BLOB NOT NULL,
    PRIMARY KEY (team_id, circle_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX circle_person ON circle (team_id, person_id, circle_id);

CREATE TABLE attempts (
    team_id BLOB NOT NULL REFERENCES team,
    slot INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (team_id, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    team_id BLOB NOT NULL REFERENCES team,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    by_person BLOB,
    by_device BLOB,
    about BLOB,
    note TEXT NOT NULL,
    PRIMARY KEY (team_id, seq)
) STRICT, WITHOUT ROWID;
";

// Failed tries with a login that is somebody's are counted with their account.
// `attempts` counts those with logins that are nobody's; in it, `until` is when
// the last one was.
const FAILURES: &str = "
ALTER TABLE account ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN failed_at INTEGER NOT NULL DEFAULT 0;
";

// From here on `account.totp_secret` is sealed, which is done where the key is
// known. The number alone keeps older servers away: they would take what is
// sealed for the secret itself, and refuse every code.
const SEALED: &str = "";

// Who wrote a thread's outcome: it goes with them, also when their devices are
// gone long since.
const DECIDED: &str = "ALTER TABLE record ADD COLUMN decided_by BLOB";

/// Fills an empty file.
pub(crate) fn create(db: &mut Connection, epoch: Epoch) -> Result<(), Error> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    steps(&tx, 0)?;
    tx.execute("INSERT INTO life (only, epoch) VALUES (1, ?1)", [epoch.0.cast_signed()])?;
    tx.commit()
}

/// Brings a file up to date, and reads its epoch. What it was before stays
/// beside it, named after the version it is brought to.
pub(crate) fn upgrade(db: &mut Connection, path: &Path) -> Result<Epoch, OpenError> {
    let sqlite = |why| OpenError::of(path, why);
    keep_the_old(db, path)?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    let found = found(&tx, path)?;
    if found < KNOWN {
        tracing::info!(found, known = KNOWN, "the database is brought up to date");
        steps(&tx, usize::try_from(found).unwrap_or_default()).map_err(sqlite)?;
    }
    let epoch = epoch(&tx).map_err(sqlite)?;
    tx.commit().map_err(sqlite)?;
    Ok(epoch)
}

/// Reads the epoch of a file that is up to date; an older one stays as it is.
pub(crate) fn look(db: &mut Connection, path: &Path) -> Result<Epoch, OpenError> {
    let sqlite = |why| OpenError::of(path, why);
    let tx = db.transaction().map_err(sqlite)?;
    match found(&tx, path)? {
        KNOWN => epoch(&tx).map_err(sqlite),
        found => Err(OpenError::Older { path: path.to_owned(), found, known: KNOWN }),
    }
}

/// The version of a file that is one of ours, and not newer than what is known
/// here.
fn found(db: &Connection, path: &Path) -> Result<i64, OpenError> {
    let sqlite = |why| OpenError::of(path, why);
    let pragma = |name: &str| db.pragma_query_value(None, name, |r| r.get::<_, i64>(0)).map_err(sqlite);
    if pragma("application_id")? != APPLICATION {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    match pragma("user_version")? {
        found if found > KNOWN => Err(OpenError::Newer { path: path.to_owned(), found, known: KNOWN }),
        found => Ok(found),
    }
}

fn epoch(db: &Connection) -> Result<Epoch, Error> {
    db.query_row("SELECT epoch FROM life", [], |r| r.get(0)).map(|epoch: i64| Epoch(epoch.cast_unsigned()))
}

/// Copies a file that an upgrade is about to change, where that can be told
/// before it is locked; whatever else is wrong with it is found out then.
fn keep_the_old(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let sqlite = |why| OpenError::of(path, why);
    let pragma = |name: &str| db.pragma_query_value(None, name, |r| r.get::<_, i64>(0)).map_err(sqlite);
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    if application != APPLICATION || !(1..KNOWN).contains(&found) {
        return Ok(());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".before-{KNOWN}"));
    let old = path.with_file_name(name);
    // Left by an upgrade that came to nothing.
    match std::fs::remove_file(&old) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(OpenError::io(&old, why)),
        _ => copy(path, &old),
    }
}

fn steps(tx: &Transaction<'_>, from: usize) -> Result<(), Error> {
    for step in MIGRATIONS.iter().skip(from) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", KNOWN)
}
