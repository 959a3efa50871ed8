//! Forgets what is old.

use crate::storage::bytes;
use crate::writer::Done;
use meantime_server_core::TeamScope;
use meantime_server_core::storage::Sweep;
use rusqlite::{Connection, Error, OptionalExtension as _, params};

pub(crate) fn sweep(db: &Connection, team: TeamScope, old: &Sweep) -> Result<Done<u64>, Error> {
    let values = params![bytes(team), old.tombstones.timestamp_millis()];
    db.execute(
        "UPDATE scope SET min_seq = max(min_seq, gone.seq)
         FROM (SELECT scope AS name, max(seq) AS seq FROM record
               WHERE team_id = ?1 AND deleted = 1 AND updated_at < ?2 GROUP BY scope) AS gone
         WHERE scope.team_id = ?1 AND scope.scope = gone.name",
        values,
    )?;
    let swept = db.execute("DELETE FROM record WHERE team_id = ?1 AND deleted = 1 AND updated_at < ?2", values)?;
    taken(db, team, old)?;
    for (sql, before) in [
        ("DELETE FROM token WHERE team_id = ?1 AND retired_at < ?2", old.tokens),
        ("DELETE FROM invite WHERE team_id = ?1 AND expires_at < ?2", old.invites),
        ("DELETE FROM attempts WHERE team_id = ?1 AND until < ?2", old.attempts),
        (
            "DELETE FROM audit WHERE team_id = ?1 AND at < ?2
             AND seq < (SELECT max(seq) FROM audit WHERE team_id = ?1)",
            old.audit,
        ),
    ] {
        db.execute(sql, params![bytes(team), before.timestamp_millis()])?;
    }
    Ok(Done::Keep(swept as u64))
}

/// A device's numbers grow with time, so what is old is what stands before the
/// first that is not: found without reading those that stay.
fn taken(db: &Connection, team: TeamScope, old: &Sweep) -> Result<(), Error> {
    let mut devices = db.prepare_cached("SELECT device_id FROM device WHERE team_id = ?1")?;
    let devices: Vec<[u8; 16]> = devices.query_map([bytes(team)], |r| r.get(0))?.collect::<Result<_, _>>()?;
    let mut stays =
        db.prepare_cached("SELECT n FROM taken WHERE team_id = ?1 AND device_id = ?2 AND at >= ?3 ORDER BY n LIMIT 1")?;
    let mut greatest =
        db.prepare_cached("SELECT max(n) FROM taken WHERE team_id = ?1 AND device_id = ?2 AND n < ?3")?;
    let mut note = db.prepare_cached("UPDATE device SET forgotten = ?3 WHERE team_id = ?1 AND device_id = ?2")?;
    let mut forget = db.prepare_cached("DELETE FROM taken WHERE team_id = ?1 AND device_id = ?2 AND n < ?3")?;
    for device in devices {
        let before = params![bytes(team), device, old.taken.timestamp_millis()];
        let stays: Option<i64> = stays.query_row(before, |r| r.get(0)).optional()?;
        let below = params![bytes(team), device, stays.unwrap_or(i64::MAX)];
        let Some(greatest) = greatest.query_row(below, |r| r.get::<_, Option<i64>>(0))? else { continue };
        note.execute(params![bytes(team), device, greatest])?;
        forget.execute(below)?;
    }
    Ok(())
}
