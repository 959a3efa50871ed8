//! Takes what a person wrote out of a team, in everybody's app too: messages
//! and settings become tombstones, threads, circles and the person's own record
//! lose their words. What others wrote stays, and so does where it stands.

use crate::feeds;
use anyhow::bail;
use meantime_model::PersonId;
use meantime_protocol::{Fields, Kind, Record, Scope};
use meantime_server_core::storage::{Batch, Commit};
use meantime_server_core::{By, Core, Key, Row, Shared, Storage as _, TeamScope};
use serde_json::json;

/// Records in one commit.
const AT_ONCE: usize = 100;
/// How often one is tried again because somebody changed something.
const TRIES: usize = 20;

/// Removes a person from the team and what they wrote with them; how many
/// records lost their words. Calling it again goes on where it stopped.
///
/// # Errors
/// When the person is the last owner, or the storage fails.
pub async fn person(core: &Core<Shared>, team: TeamScope, person: PersonId) -> anyhow::Result<usize> {
    let there = core.people(team).await?.into_iter().any(|p| p.id == person && p.removed_at.is_none());
    if there {
        core.remove(By::Operator(team), person).await?;
    }
    let mut keys = Vec::new();
    for scope in feeds::scopes(core, team).await? {
        let mine = |record: Record| {
            if theirs(&record, person) && !record.deleted {
                keys.push(Key { scope: record.scope, kind: record.kind, id: record.id });
            }
            Ok(())
        };
        feeds::records(core, team, scope, mine).await?;
    }
    for record in feeds::held(core, team, core.now()).await? {
        if theirs(&record, person) {
            keys.push(Key { scope: record.scope, kind: record.kind, id: record.id });
        }
    }
    let mut erased = 0;
    for keys in keys.chunks(AT_ONCE) {
        erased += chunk(core, team, keys).await?;
    }
    Ok(erased)
}

fn theirs(record: &Record, person: PersonId) -> bool {
    let own = record.scope == Scope::User(person) || (record.kind == Kind::MEMBER && record.id == person.0);
    own || (record.author == person && record.kind != Kind::AGREEMENT && record.kind != Kind::MEMBER)
}

async fn chunk(core: &Core<Shared>, team: TeamScope, keys: &[Key]) -> anyhow::Result<usize> {
    for _ in 0..TRIES {
        let rows: Vec<Row> = core.storage().get(team, keys).await?.into_iter().flatten().collect();
        let expects = rows.iter().map(|row| (row.key(), row.record.seq)).collect();
        let at = core.now();
        let erased = rows.into_iter().filter(|row| !row.record.deleted).map(without_words);
        let updated = |row: Row| Row { record: Record { updated_at: at, ..row.record }, ..row };
        let writes: Vec<Row> = erased.map(updated).collect();
        let count = writes.len();
        if let Commit::Done(_) = core.storage().commit(team, Batch { at, expects, writes, ..Batch::default() }).await? {
            return Ok(count);
        }
    }
    bail!("the team is too busy just now; call it again")
}

fn without_words(row: Row) -> Row {
    let Record { kind, fields, .. } = &row.record;
    let kept = |names: &[&str]| -> Fields {
        names.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone()))).collect()
    };
    // Others' messages hang on a thread, a circle on who is in it, and
    // others' eyes on a name.
    let (deleted, mut fields) = match kind {
        kind if *kind == Kind::THREAD => (false, kept(&["urgency", "asked"])),
        kind if *kind == Kind::SPACE => (false, kept(&["members"])),
        kind if *kind == Kind::MEMBER => (false, kept(&["role", "removed_at"])),
        _ => (true, Fields::new()),
    };
    if row.record.kind == Kind::THREAD {
        fields.insert("title".to_owned(), json!("(removed)"));
    }
    if row.record.kind == Kind::MEMBER {
        fields.insert("name".to_owned(), json!("Somebody who left"));
    }
    Row { record: Record { deleted, fields, ..row.record }, ..row }
}
