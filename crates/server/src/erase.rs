//! Takes what a person wrote out of a team, in everybody's app too: messages
//! and settings become tombstones, threads, circles and the person's own record
//! lose their words. What others wrote stays, and so does where it stands.
//!
//! Who wrote a thread's outcome is noted, but of one from before that was. Such
//! a one is taken to be from whoever changed the thread last, by the device: one
//! that is unknown counts as the thread's author's.

use crate::feeds;
use anyhow::bail;
use meantime_model::{DeviceId, PersonId};
use meantime_protocol::{Fields, Kind, Record, Scope};
use meantime_server_core::storage::{Batch, Commit};
use meantime_server_core::{By, Core, Key, Row, Shared, Storage as _, TeamScope};
use serde_json::json;
use std::collections::HashSet;

/// Records in one commit.
const AT_ONCE: usize = 100;
/// How often one is tried again because somebody changed something.
const TRIES: usize = 20;
/// What anybody may write in anybody's thread.
const OUTCOME: &str = "outcome";

/// Whoever is taken out.
struct Leaving {
    person: PersonId,
    /// Those they had until now.
    devices: HashSet<DeviceId>,
}

/// Removes a person from the team and what they wrote with them; how many
/// records lost their words. Calling it again goes on where it stopped.
///
/// # Errors
/// When the person is the last owner, or the storage fails.
pub async fn person(core: &Core<Shared>, team: TeamScope, person: PersonId) -> anyhow::Result<usize> {
    // They are ended with the person; what they did is told by them.
    let devices = core.storage().devices(team, person).await?;
    let leaving = Leaving { person, devices: devices.into_iter().map(|device| device.id).collect() };
    let there = core.people(team).await?.into_iter().any(|p| p.id == person && p.removed_at.is_none());
    if there {
        core.remove(By::Operator(team), person).await?;
    }
    let mut keys = Vec::new();
    for scope in feeds::scopes(core, team).await? {
        let mine = |record: Record| {
            let touched = record.kind == Kind::THREAD && record.fields.contains_key(OUTCOME);
            if (theirs(&record, person) || touched) && !record.deleted {
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
        erased += chunk(core, team, keys, &leaving).await?;
    }
    Ok(erased)
}

fn theirs(record: &Record, person: PersonId) -> bool {
    let own = record.scope == Scope::User(person) || (record.kind == Kind::MEMBER && record.id == person.0);
    own || (record.author == person && record.kind != Kind::AGREEMENT && record.kind != Kind::MEMBER)
}

async fn chunk(core: &Core<Shared>, team: TeamScope, keys: &[Key], leaving: &Leaving) -> anyhow::Result<usize> {
    for _ in 0..TRIES {
        let rows: Vec<Row> = core.storage().get(team, keys).await?.into_iter().flatten().collect();
        let expects = rows.iter().map(|row| (row.key(), row.record.seq)).collect();
        let at = core.now();
        let mut writes = Vec::new();
        for row in rows.into_iter().filter(|row| !row.record.deleted) {
            let erased = if theirs(&row.record, leaving.person) {
                let others = outcome_is_others(core, team, &row, leaving.person).await?;
                Some(without_words(row, others))
            } else {
                leaving.decided(&row).then(|| without_outcome(row))
            };
            writes.extend(erased.map(|row| Row { record: Record { updated_at: at, ..row.record }, ..row }));
        }
        let count = writes.len();
        if count == 0 {
            return Ok(0);
        }
        if let Commit::Done(_) = core.storage().commit(team, Batch { at, expects, writes, ..Batch::default() }).await? {
            return Ok(count);
        }
    }
    bail!("the team is too busy just now; call it again")
}

impl Leaving {
    /// Whether the outcome of somebody else's thread is from them: nothing else
    /// in it could be.
    fn decided(&self, thread: &Row) -> bool {
        let theirs = match thread.decided_by {
            Some(person) => person == self.person,
            None => self.devices.contains(&thread.run.device),
        };
        theirs && thread.record.fields.contains_key(OUTCOME)
    }
}

/// Whether the outcome of the person's own thread is from somebody else.
async fn outcome_is_others(
    core: &Core<Shared>,
    team: TeamScope,
    thread: &Row,
    person: PersonId,
) -> anyhow::Result<bool> {
    if !thread.record.fields.contains_key(OUTCOME) {
        return Ok(false);
    }
    if let Some(decided_by) = thread.decided_by {
        return Ok(decided_by != person);
    }
    let standing = core.storage().standing(team, thread.run.device).await?;
    Ok(standing.is_some_and(|standing| standing.device.person != person))
}

fn without_outcome(mut row: Row) -> Row {
    row.record.fields.shift_remove(OUTCOME);
    Row { decided_by: None, ..row }
}

fn without_words(row: Row, outcome_stays: bool) -> Row {
    let Record { kind, fields, .. } = &row.record;
    let kept = |names: &[&str]| -> Fields {
        names.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone()))).collect()
    };
    // Others' messages hang on a thread, a circle on who is in it, and
    // others' eyes on a name.
    let (deleted, mut fields) = match kind {
        kind if *kind == Kind::THREAD && outcome_stays => (false, kept(&["urgency", "asked", OUTCOME])),
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
    let decided_by = row.decided_by.filter(|_| fields.contains_key(OUTCOME));
    Row { decided_by, record: Record { deleted, fields, ..row.record }, ..row }
}
