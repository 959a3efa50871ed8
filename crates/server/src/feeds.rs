//! Every record of a team, for whoever runs the server: to hand it out, or
//! to take a person's out.

use anyhow::bail;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::PersonId;
use meantime_protocol::{Record, Scope};
use meantime_server_core::rules::cupboard;
use meantime_server_core::storage::{Changes, Limit};
use meantime_server_core::{Core, Shared, Storage as _, TeamScope};
use uuid::Uuid;

/// How much is read at once.
const PAGE: Limit = Limit { rows: 500, bytes: 4 << 20 };
/// How many feeds are listed at once.
const SCOPES: usize = 1000;
/// Nothing waits longer to appear (docs/PROTOCOL.md has 366 days).
const LATEST: TimeDelta = TimeDelta::days(400);
/// More waiting records than any team has.
const HELD: usize = 1_000_000;

/// Every feed of a team that something was ever written in, circles that nobody
/// is in any more too.
///
/// # Errors
/// When the storage fails.
pub async fn scopes(core: &Core<Shared>, team: TeamScope) -> anyhow::Result<Vec<Scope>> {
    let (mut scopes, mut after) = (Vec::new(), None);
    loop {
        let some = core.storage().scopes(team, after, SCOPES).await?;
        after = some.last().copied();
        let more = some.len() == SCOPES;
        // Which attachments there are is said by itself, and nobody's words.
        scopes.extend(some.into_iter().filter(|scope| *scope != cupboard(team.id())));
        if !more {
            return Ok(scopes);
        }
    }
}

/// Calls `each` with every record of a feed that is visible in it, tombstones
/// too, in the order of seq. One that changes meanwhile may come twice.
///
/// # Errors
/// When the storage fails, or `each` does.
pub async fn records(
    core: &Core<Shared>,
    team: TeamScope,
    scope: Scope,
    mut each: impl FnMut(Record) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        // Nobody in particular reads, so what waits to appear is not in it.
        let from = Changes { scope, reader: PersonId(Uuid::nil()), guest: false, after, limit: PAGE };
        let page = core.storage().changes(team, &from).await?;
        for row in page.rows {
            after = row.seq;
            each(row)?;
        }
        if !page.more {
            return Ok(());
        }
    }
}

/// Every record that waits to appear.
///
/// # Errors
/// When the storage fails.
pub async fn held(core: &Core<Shared>, team: TeamScope, now: DateTime<Utc>) -> anyhow::Result<Vec<Record>> {
    let rows = core.storage().held(team, now + LATEST, HELD).await?;
    if rows.len() == HELD {
        bail!("more records wait to appear than can be read at once");
    }
    Ok(rows.into_iter().map(|row| row.record).collect())
}
