//! People, devices and circles: what one commit does to them, and the reads
//! that need several statements.

use crate::row::{self, ACCOUNT, COLUMNS, DEVICE, TOKEN, role_name, signed, unsigned, uuid};
use crate::storage::bytes;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, PersonId};
use meantime_protocol::{Kind, Scope};
use meantime_server_core::storage::{
    Account, Attempts, AuditEntry, Bearer, Change, Commit, Device, Invite, Standing, Token, Tried,
};
use meantime_server_core::{SecretHash, TeamScope};
use rusqlite::{Connection, Error, OptionalExtension as _, params};
use uuid::Uuid;

pub(crate) fn bearer(db: &Connection, token: SecretHash) -> Result<Option<Bearer>, Error> {
    let sql = format!("SELECT {TOKEN}, team_id FROM token WHERE token = ?1");
    let found = |r: &rusqlite::Row<'_>| Ok((row::token(r)?, uuid(r, 5)?));
    let Some((token, team)) = db.prepare_cached(&sql)?.query_row([token.0], found).optional()? else {
        return Ok(None);
    };
    let standing = standing(db, TeamScope::operator(meantime_model::TeamId(team)), token.device)?;
    Ok(standing.map(|standing| Bearer { token, standing }))
}

pub(crate) fn standing(db: &Connection, team: TeamScope, device: DeviceId) -> Result<Option<Standing>, Error> {
    let sql = format!("SELECT {DEVICE} FROM device WHERE team_id = ?1 AND device_id = ?2");
    let values = params![bytes(team), device.0.as_bytes()];
    let Some(device) = db.prepare_cached(&sql)?.query_row(values, row::device).optional()? else { return Ok(None) };
    let sql = format!("SELECT {COLUMNS} FROM record WHERE team_id = ?1 AND scope = ?2 AND kind = ?3 AND id = ?4");
    let scope = Scope::Team(team.id()).to_string();
    let values = params![bytes(team), scope, Kind::MEMBER.as_str(), device.person.0.as_bytes()];
    let member = db.prepare_cached(&sql)?.query_row(values, row::stored).optional()?;
    let circles = circles(db, team, device.person)?;
    Ok(Some(Standing { device, member, circles }))
}

pub(crate) fn circles(db: &Connection, team: TeamScope, person: PersonId) -> Result<Vec<Uuid>, Error> {
    let sql = "SELECT circle_id FROM circle WHERE team_id = ?1 AND person_id = ?2 ORDER BY circle_id";
    db.prepare_cached(sql)?.query_map(params![bytes(team), person.0.as_bytes()], |r| uuid(r, 0))?.collect()
}

pub(crate) fn access(db: &Connection, team: TeamScope) -> Result<u64, Error> {
    let mut find = db.prepare_cached("SELECT access FROM team WHERE team_id = ?1")?;
    Ok(find.query_row([bytes(team)], |r| unsigned(r, 0)).optional()?.unwrap_or_default())
}

pub(crate) fn move_access(db: &Connection, team: TeamScope) -> Result<(), Error> {
    db.prepare_cached("UPDATE team SET access = access + 1 WHERE team_id = ?1")?.execute([bytes(team)]).map(drop)
}

pub(crate) fn attempts(db: &Connection, team: TeamScope, of: Tried) -> Result<Option<Attempts>, Error> {
    let found = |r: &rusqlite::Row<'_>| Ok(Attempts { failures: r.get(0)?, at: row::time(1, r.get(1)?)? });
    match of {
        Tried::Person(person) => {
            let sql = "SELECT failures, failed_at FROM account
                       WHERE team_id = ?1 AND person_id = ?2 AND failures > 0";
            db.prepare_cached(sql)?.query_row(params![bytes(team), person.0.as_bytes()], found).optional()
        }
        Tried::Slot(slot) => {
            let sql = "SELECT failures, until FROM attempts WHERE team_id = ?1 AND slot = ?2";
            db.prepare_cached(sql)?.query_row(params![bytes(team), slot], found).optional()
        }
    }
}

/// How many failed in a row, with this one.
pub(crate) fn failed(
    db: &Connection,
    team: TeamScope,
    of: Tried,
    (at, since): (DateTime<Utc>, DateTime<Utc>),
) -> Result<u32, Error> {
    let (at, since) = (at.timestamp_millis(), since.timestamp_millis());
    let counted = match of {
        Tried::Person(person) => {
            let sql = "UPDATE account SET failures = CASE WHEN failed_at < ?4 THEN 1 ELSE failures + 1 END,
                           failed_at = ?3
                       WHERE team_id = ?1 AND person_id = ?2 RETURNING failures";
            let values = params![bytes(team), person.0.as_bytes(), at, since];
            db.prepare_cached(sql)?.query_row(values, |r| r.get(0)).optional()?
        }
        Tried::Slot(slot) => {
            let sql = "INSERT INTO attempts (team_id, slot, failures, until) VALUES (?1, ?2, 1, ?3)
                       ON CONFLICT DO UPDATE SET until = excluded.until,
                           failures = CASE WHEN until < ?4 THEN 1 ELSE failures + 1 END
                       RETURNING failures";
            db.prepare_cached(sql)?.query_row(params![bytes(team), slot, at, since], |r| r.get(0)).optional()?
        }
    };
    Ok(counted.unwrap_or(1))
}

pub(crate) fn forget_attempts(db: &Connection, team: TeamScope, of: Tried) -> Result<(), Error> {
    match of {
        Tried::Person(person) => {
            let sql = "UPDATE account SET failures = 0 WHERE team_id = ?1 AND person_id = ?2";
            db.prepare_cached(sql)?.execute(params![bytes(team), person.0.as_bytes()]).map(drop)
        }
        Tried::Slot(slot) => {
            let sql = "DELETE FROM attempts WHERE team_id = ?1 AND slot = ?2";
            db.prepare_cached(sql)?.execute(params![bytes(team), slot]).map(drop)
        }
    }
}

pub(crate) fn note(db: &Connection, team: TeamScope, entry: &AuditEntry) -> Result<(), Error> {
    let AuditEntry { at, what, by, device, about, note, .. } = entry;
    let sql = "INSERT INTO audit (team_id, seq, at, what, by_person, by_device, about, note)
               SELECT ?1, coalesce(max(seq), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7 FROM audit WHERE team_id = ?1";
    db.prepare_cached(sql)?
        .execute(params![
            bytes(team),
            at.timestamp_millis(),
            what,
            by.map(|id| id.0.into_bytes()),
            device.map(|id| id.0.into_bytes()),
            about.map(Uuid::into_bytes),
            note,
        ])
        .map(drop)
}

/// Why it can't be carried out; nothing when it was.
pub(crate) fn change(db: &Connection, team: TeamScope, change: &Change) -> Result<Option<Commit>, Error> {
    match change {
        Change::AddInvite(invite) => add_invite(db, team, invite)?,
        Change::UseInvite(secret) => {
            let sql = "UPDATE invite SET used = 1 WHERE team_id = ?1 AND secret = ?2 AND used = 0";
            let used = db.prepare_cached(sql)?.execute(params![bytes(team), secret.0])?;
            return Ok((used == 0).then_some(Commit::InviteGone));
        }
        Change::DropInvites(person) => {
            let sql = "DELETE FROM invite
                       WHERE team_id = ?1 AND used = 0 AND (by_person = ?2 OR for_person = ?2)";
            db.prepare_cached(sql)?.execute(params![bytes(team), person.0.as_bytes()])?;
        }
        Change::DropInvitesBy(person) => {
            let sql = "DELETE FROM invite WHERE team_id = ?1 AND used = 0 AND by_person = ?2";
            db.prepare_cached(sql)?.execute(params![bytes(team), person.0.as_bytes()])?;
        }
        Change::AddDevice(device, token) => {
            add_device(db, team, device, token)?;
            add_token(db, team, token)?;
        }
        Change::RemoveDevice(device) => {
            // Its tokens go with it.
            for sql in [
                "DELETE FROM taken WHERE team_id = ?1 AND device_id = ?2",
                "DELETE FROM device WHERE team_id = ?1 AND device_id = ?2",
            ] {
                db.prepare_cached(sql)?.execute(params![bytes(team), device.0.as_bytes()])?;
            }
        }
        Change::AddToken(token) => {
            let sql = "UPDATE token SET retired_at = ?3
                       WHERE team_id = ?1 AND device_id = ?2 AND used = 0 AND retired_at IS NULL";
            let at = token.issued_at.timestamp_millis();
            db.prepare_cached(sql)?.execute(params![bytes(team), token.device.0.as_bytes(), at])?;
            add_token(db, team, token)?;
        }
        Change::UseToken { device, token, at } => {
            let sql = "UPDATE token SET used = 1
                       WHERE team_id = ?1 AND device_id = ?2 AND token = ?3 AND retired_at IS NULL";
            if db.prepare_cached(sql)?.execute(params![bytes(team), device.0.as_bytes(), token.0])? == 0 {
                return Ok(Some(Commit::Stale));
            }
            let retire = "UPDATE token SET retired_at = ?4
                          WHERE team_id = ?1 AND device_id = ?2 AND token <> ?3 AND retired_at IS NULL";
            let values = params![bytes(team), device.0.as_bytes(), token.0, at.timestamp_millis()];
            db.prepare_cached(retire)?.execute(values)?;
        }
        Change::PutAccount(account) => put_account(db, team, account)?,
        Change::RemoveAccount(person) => {
            let sql = "DELETE FROM account WHERE team_id = ?1 AND person_id = ?2";
            db.prepare_cached(sql)?.execute(params![bytes(team), person.0.as_bytes()])?;
        }
        Change::Circle { circle, members } => {
            let sql = "DELETE FROM circle WHERE team_id = ?1 AND circle_id = ?2";
            db.prepare_cached(sql)?.execute(params![bytes(team), circle.as_bytes()])?;
            let sql = "INSERT OR IGNORE INTO circle (team_id, circle_id, person_id) VALUES (?1, ?2, ?3)";
            let mut add = db.prepare_cached(sql)?;
            for person in members {
                add.execute(params![bytes(team), circle.as_bytes(), person.0.as_bytes()])?;
            }
        }
    }
    Ok(None)
}

fn add_invite(db: &Connection, team: TeamScope, invite: &Invite) -> Result<(), Error> {
    let Invite { secret, role, expires_at, used, by, person, .. } = invite;
    let sql = "INSERT INTO invite (team_id, secret, role, expires_at, used, by_person, for_person)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (by, person) = (by.map(|id| id.0.into_bytes()), person.map(|id| id.0.into_bytes()));
    let values = params![bytes(team), secret.0, role_name(*role), expires_at.timestamp_millis(), used, by, person];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

fn add_device(db: &Connection, team: TeamScope, device: &Device, first: &Token) -> Result<(), Error> {
    let Device { id, person, name, since, seen_at, .. } = device;
    let sql = "INSERT INTO device (team_id, device_id, person_id, token, name, since, seen_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (since, seen_at) = (since.timestamp_millis(), seen_at.timestamp_millis());
    let values = params![bytes(team), id.0.as_bytes(), person.0.as_bytes(), first.hash.0, name, since, seen_at];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

fn add_token(db: &Connection, team: TeamScope, token: &Token) -> Result<(), Error> {
    let Token { hash, device, issued_at, used, retired_at } = token;
    let sql = "INSERT INTO token (team_id, device_id, token, issued_at, used, retired_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (issued, retired) = (issued_at.timestamp_millis(), retired_at.map(|at| at.timestamp_millis()));
    db.prepare_cached(sql)?.execute(params![bytes(team), device.0.as_bytes(), hash.0, issued, used, retired]).map(drop)
}

fn put_account(db: &Connection, team: TeamScope, account: &Account) -> Result<(), Error> {
    let Account { person, login, password, totp } = account;
    let sql = format!(
        "INSERT INTO account (team_id, {ACCOUNT}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (team_id, person_id) DO UPDATE SET login = excluded.login, password = excluded.password,
             totp_secret = excluded.totp_secret, totp_confirmed = excluded.totp_confirmed,
             totp_step = excluded.totp_step"
    );
    let secret = totp.as_ref().map(|t| t.secret.as_slice());
    let (confirmed, step) = totp.as_ref().map_or((false, 0), |t| (t.confirmed, t.last_step));
    let values = params![bytes(team), person.0.as_bytes(), login, password, secret, confirmed, signed(step)];
    db.prepare_cached(&sql)?.execute(values).map(drop)
}
