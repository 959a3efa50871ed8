//! Forgets what is old, in pieces: none of them holds a feed's counter for
//! long.

use crate::Postgres;
use crate::row::{get, unsigned};
use meantime_server_core::storage::Sweep;
use meantime_server_core::{StorageError, TeamScope};
use uuid::Uuid;

/// Rows forgotten in one transaction.
const AT_ONCE: i64 = 5_000;

impl Postgres {
    pub(crate) async fn forget(&self, team: TeamScope, old: &Sweep) -> Result<u64, StorageError> {
        let mut swept = 0;
        loop {
            let rows = self.write(team, TOMBSTONES, &[&old.tombstones, &AT_ONCE]).await?;
            let gone = rows.first().map_or(Ok(0), |row| unsigned(row, 0))?;
            swept += gone;
            if gone < AT_ONCE.unsigned_abs() {
                break;
            }
        }
        // A device's numbers grow with time, so what is old is what stands
        // before the first that is not.
        for device in self.write(team, "SELECT device_id FROM device WHERE team_id = $1", &[]).await? {
            let device: Uuid = get(&device, 0)?;
            loop {
                let rows = self.write(team, TAKEN, &[&device, &old.taken, &AT_ONCE]).await?;
                if rows.first().map_or(Ok(0), |row| unsigned(row, 0))? < AT_ONCE.unsigned_abs() {
                    break;
                }
            }
        }
        for (sql, before) in [
            ("DELETE FROM token WHERE team_id = $1 AND retired_at < $2", old.tokens),
            ("DELETE FROM invite WHERE team_id = $1 AND expires_at < $2", old.invites),
            ("DELETE FROM attempts WHERE team_id = $1 AND until < $2", old.attempts),
            (
                "DELETE FROM audit WHERE team_id = $1 AND at < $2
                 AND seq < (SELECT max(seq) FROM audit WHERE team_id = $1)",
                old.audit,
            ),
        ] {
            self.write(team, sql, &[&before]).await?;
        }
        Ok(swept)
    }
}

// The counters are changed in the order of their names, like everywhere.
const TOMBSTONES: &str = "WITH old AS (
        SELECT scope, kind, id FROM record WHERE team_id = $1 AND deleted AND updated_at < $2
        ORDER BY updated_at LIMIT $3),
    gone AS (
        DELETE FROM record AS r USING old
        WHERE r.team_id = $1 AND r.scope = old.scope AND r.kind = old.kind AND r.id = old.id AND r.deleted
        RETURNING r.scope, r.seq),
    lost AS (SELECT scope, max(seq) AS seq FROM gone GROUP BY scope),
    locked AS (
        SELECT s.scope, lost.seq FROM scope AS s JOIN lost ON lost.scope = s.scope
        WHERE s.team_id = $1 ORDER BY s.scope FOR NO KEY UPDATE OF s),
    told AS (
        UPDATE scope AS s SET min_seq = greatest(s.min_seq, locked.seq) FROM locked
        WHERE s.team_id = $1 AND s.scope = locked.scope)
    SELECT count(*) FROM gone";

const TAKEN: &str = "WITH stays AS (
        SELECT n FROM taken WHERE team_id = $1 AND device_id = $2 AND at >= $3 ORDER BY n LIMIT 1),
    gone AS (
        DELETE FROM taken WHERE team_id = $1 AND device_id = $2 AND n IN (
            SELECT n FROM taken WHERE team_id = $1 AND device_id = $2
                AND n < coalesce((SELECT n FROM stays), 9223372036854775807)
            ORDER BY n LIMIT $4)
        RETURNING n),
    told AS (
        UPDATE device SET forgotten = greatest(coalesce(forgotten, 0), (SELECT max(n) FROM gone))
        WHERE team_id = $1 AND device_id = $2 AND EXISTS (SELECT FROM gone))
    SELECT count(*) FROM gone";
