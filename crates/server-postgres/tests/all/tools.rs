//! Databases, teams and rows for the tests.

use chrono::{DateTime, TimeZone as _, Utc};
use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::{Epoch, Fields, Kind, Record, Scope};
use meantime_server_core::storage::{Batch, Commit};
use meantime_server_core::{Row, Run, Storage as _, TeamScope};
use meantime_server_postgres::kit::PostgresServer;
use meantime_server_postgres::{Postgres, Settings};
use uuid::Uuid;

pub const EPOCH: Epoch = Epoch(u64::MAX - 7);

/// An empty database of the shared server, opened.
pub async fn opened() -> (Postgres, Settings) {
    let settings = PostgresServer::shared().database();
    (Postgres::create(&settings, EPOCH).await.unwrap(), settings)
}

/// The name of a database, from its address.
pub fn name_of(settings: &Settings) -> &str {
    settings.url.rsplit('/').next().unwrap()
}

pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap()
}

/// A new team.
pub async fn team(storage: &Postgres) -> TeamScope {
    let team = TeamScope::operator(TeamId::new());
    storage.found(team, "Blue Team", noon()).await.unwrap();
    team
}

/// A row of the team's feed, not written yet.
pub fn row(team: TeamScope, fields: Fields) -> Row {
    Row {
        held: false,
        run: Run { device: DeviceId::new(), base: 0 },
        decided_by: None,
        record: Record {
            scope: Scope::Team(team.id()),
            kind: Kind::THREAD,
            id: Uuid::now_v7(),
            seq: 0,
            author: PersonId::new(),
            deleted: false,
            visible_from: None,
            created_at: noon(),
            updated_at: noon(),
            fields,
        },
    }
}

/// Writes rows that must be taken; their seqs.
pub async fn put(storage: &Postgres, team: TeamScope, writes: Vec<Row>) -> Vec<u64> {
    match storage.commit(team, Batch { writes, ..Batch::default() }).await.unwrap() {
        Commit::Done(seqs) => seqs,
        other => panic!("{other:?}"),
    }
}
