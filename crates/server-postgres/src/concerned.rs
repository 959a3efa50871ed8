//! Whose streams a change of a team's people concerns, for the other
//! processes: each has only those look how they stand.

use crate::Postgres;
use crate::commit::Stop;
use crate::connections::Query;
use crate::row::{get, signed};
use deadpool_postgres::Object;
use meantime_model::{DeviceId, PersonId};
use meantime_server_core::storage::{Change, Concerned};
use meantime_server_core::{StorageError, TeamScope};
use std::collections::BTreeSet;
use uuid::Uuid;

/// So many access numbers are remembered; who missed more looks anyway.
const KEPT: u64 = 1_000;

/// Notes whom the changes concern that moved the access number to `access`,
/// within their commit.
pub(crate) async fn note(client: &Object, team: TeamScope, access: u64, changes: &[Change]) -> Result<(), Stop> {
    let (mut devices, mut circles) = (Vec::new(), Vec::new());
    for concerned in changes.iter().filter_map(Concerned::by) {
        let (device, circle) = match concerned {
            Concerned::Device(device) => (Some(device.0), None),
            Concerned::Circle(circle, _) => (None, Some(circle)),
        };
        devices.push(device);
        circles.push(circle);
    }
    if devices.is_empty() {
        devices.push(None::<Uuid>);
        circles.push(None);
    }
    let (id, number, forgotten) = (team.id().0, signed(access), signed(access.saturating_sub(KEPT)));
    let sql = "DELETE FROM concerned WHERE team_id = $1 AND access <= $2";
    client.execute(&client.prepare_cached(sql).await?, &[&id, &forgotten]).await?;
    // Of a team that was taken out meanwhile nothing is kept.
    let sql = "INSERT INTO concerned (team_id, access, nth, device_id, circle_id)
               SELECT t.team_id, $2, c.nth, c.device_id, c.circle_id
               FROM team AS t, unnest($3::uuid[], $4::uuid[]) WITH ORDINALITY AS c (device_id, circle_id, nth)
               WHERE t.team_id = $1";
    client.execute(&client.prepare_cached(sql).await?, &[&id, &number, &devices, &circles]).await?;
    Ok(())
}

impl Postgres {
    pub(crate) async fn find_concerned(
        &self,
        team: TeamScope,
        after: u64,
        upto: u64,
    ) -> Result<Option<Vec<Concerned>>, StorageError> {
        let moves = upto.saturating_sub(after);
        if after > upto || moves > KEPT {
            return Ok(None);
        }
        let sql = "SELECT k.access, k.device_id, k.circle_id,
                       ARRAY(SELECT c.person_id FROM circle AS c WHERE c.team_id = $1 AND c.circle_id = k.circle_id)
                   FROM concerned AS k WHERE k.team_id = $1 AND k.access > $2 AND k.access <= $3";
        let (id, after, upto) = (team.id().0, signed(after), signed(upto));
        let rows = self.connections.read(team, &[Query { sql, values: &[&id, &after, &upto] }]).await?;
        let (mut noted, mut concerned) = (BTreeSet::new(), Vec::new());
        for row in rows.into_iter().flatten() {
            noted.insert(get::<i64>(&row, 0)?);
            if let Some(device) = get(&row, 1)? {
                concerned.push(Concerned::Device(DeviceId(device)));
            }
            if let Some(circle) = get(&row, 2)? {
                // Who was in it listens to it; who is may not yet.
                let people: Vec<Uuid> = get(&row, 3)?;
                concerned.push(Concerned::Circle(circle, people.into_iter().map(PersonId).collect()));
            }
        }
        // A server of the version before notes nothing.
        Ok((noted.len() as u64 == moves).then_some(concerned))
    }
}
