//! Sends later: makes held records visible when their time has come, and
//! forgets what is old.

use crate::access::active_role;
use crate::core::TRIES;
use crate::join::member_key;
use crate::limits::{AUDIT_KEPT, OPS_KEPT, TOKENS_KEPT, TOMBSTONES, TRIES_KEPT};
use crate::rules::{View, members_of, space_key};
use crate::storage::{Batch, Storage, StorageError, Sweep};
use crate::{Core, Key, Row, TeamScope};
use chrono::{DateTime, Utc};
use meantime_model::TeamId;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Fields, Kind, Record, Scope};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Records released in one commit.
const AT_ONCE: usize = 200;

impl<S: Storage> Core<S> {
    /// Makes visible whatever is due, each record exactly once, however many
    /// processes try: it gets a new seq, so that everybody's next pull has it.
    /// What its author may not write there any more by then, or whose thread was
    /// deleted, is deleted instead, seen by nobody else. Answers when the next
    /// one is due.
    ///
    /// # Errors
    /// When the storage fails; what was not released stays held. A record that
    /// can't be read holds up its own team, no other.
    pub async fn release_due(&self) -> Result<Option<DateTime<Utc>>, StorageError> {
        let now = self.now();
        for _ in 0..TRIES {
            match self.storage.next_held().await? {
                Some((at, team)) if at <= now => {
                    if let Err(error) = self.release(TeamScope::operator(team), now).await {
                        self.release_others(team, now).await?;
                        return Err(error);
                    }
                }
                next => return Ok(next.map(|(at, _)| at)),
            }
        }
        Ok(Some(now))
    }

    /// Returns when the next held record may have become another one.
    pub async fn held_changed(&self) {
        self.held_changed.notified().await;
    }

    /// Forgets what is older than [`crate::limits`] says, of all teams; how
    /// many tombstones.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn sweep(&self) -> Result<u64, StorageError> {
        let now = self.now();
        let old = Sweep {
            tombstones: now - TOMBSTONES,
            taken: now - OPS_KEPT,
            tokens: now - TOKENS_KEPT,
            invites: now,
            attempts: now - TRIES_KEPT,
            audit: now - AUDIT_KEPT,
        };
        let mut swept = 0;
        for team in self.storage.teams().await? {
            swept += self.storage.sweep(TeamScope::operator(team.id), &old).await?;
        }
        Ok(swept)
    }

    /// What is due in all teams but one, which fails.
    async fn release_others(&self, failing: TeamId, now: DateTime<Utc>) -> Result<(), StorageError> {
        for team in self.storage.teams().await?.into_iter().map(|team| team.id).filter(|team| *team != failing) {
            if let Err(error) = self.release(TeamScope::operator(team), now).await {
                tracing::error!(%team, %error, "what is due to appear in a team could not be released");
            }
        }
        Ok(())
    }

    async fn release(&self, team: TeamScope, now: DateTime<Utc>) -> Result<(), StorageError> {
        let due = self.storage.held(team, now, AT_ONCE).await?;
        if due.is_empty() {
            return Ok(());
        }
        let around: HashSet<Key> = due.iter().flat_map(|row| stands_on(team, row)).collect();
        let around: Vec<Key> = around.into_iter().collect();
        let rows = self.storage.get(team, &around).await?;
        let view = View::new(around.iter().cloned().zip(rows.iter().cloned()), []);
        let seq = |row: Option<&Row>| row.map_or(0, |row| row.record.seq);
        // A thread that is due itself is expected once.
        let mut expects: HashMap<Key, u64> = around.into_iter().zip(rows.iter().map(|row| seq(row.as_ref()))).collect();
        expects.extend(due.iter().map(|row| (row.key(), row.record.seq)));
        let writes: Vec<Row> = due
            .into_iter()
            .map(|row| {
                let appears = may_appear(team, &row, &view);
                // What is not to be seen any more stays its author's alone.
                let fields = if appears { row.record.fields } else { Fields::new() };
                Row {
                    held: !appears,
                    record: Record { updated_at: now, deleted: !appears, fields, ..row.record },
                    ..row
                }
            })
            .collect();
        let expects = expects.into_iter().collect();
        // Stale: somebody else released or changed one of them; looked at again.
        self.carry_out(team, Batch { at: now, expects, writes, ..Batch::default() }).await.map(drop)
    }
}

/// The rows that say whether a held record may appear.
fn stands_on(team: TeamScope, row: &Row) -> Vec<Key> {
    let Record { scope, author, .. } = &row.record;
    let mut keys = vec![member_key(team, *author)];
    if let Scope::Private(circle) = scope {
        keys.push(space_key(*circle));
    }
    keys.extend(thread_of(row));
    keys
}

/// Whether its author might still write it where it stands, and it has a
/// thread to stand in.
fn may_appear(team: TeamScope, row: &Row, view: &View) -> bool {
    let Record { scope, author, .. } = &row.record;
    let role = view.row(&member_key(team, *author)).and_then(active_role);
    let writes = match scope {
        Scope::Private(circle) => {
            let members = view.row(&space_key(*circle)).and_then(members_of);
            role.is_some() && members.is_some_and(|members| members.contains(author))
        }
        Scope::Team(_) => role.is_some_and(|role| role != Role::Guest),
        Scope::User(_) => role.is_some(),
    };
    let thread = thread_of(row).is_none_or(|key| view.row(&key).is_some_and(|thread| !thread.record.deleted));
    writes && thread
}

/// The thread of a message.
fn thread_of(row: &Row) -> Option<Key> {
    let Record { scope, kind, fields, .. } = &row.record;
    let id = fields.get("thread").and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok());
    (*kind == Kind::MESSAGE).then_some(Key { scope: *scope, kind: Kind::THREAD, id: id? })
}
