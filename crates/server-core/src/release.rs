//! Sends later: makes held records visible when their time has come, and
//! forgets old tombstones.

use crate::core::TRIES;
use crate::storage::{Batch, Commit, Storage, StorageError};
use crate::{Core, Row, TeamScope};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_protocol::{Record, Scope};
use std::collections::BTreeMap;

/// How long a tombstone is kept. A device that was away for longer starts over.
pub const TOMBSTONES: TimeDelta = TimeDelta::days(90);

/// Records released in one commit.
const AT_ONCE: usize = 200;

impl<S: Storage> Core<S> {
    /// Makes visible whatever is due, each record exactly once, however many
    /// processes try: it gets a new seq, so that everybody's next pull has it.
    /// Answers when the next one is due.
    ///
    /// # Errors
    /// When the storage fails; what was not released stays held.
    pub async fn release_due(&self) -> Result<Option<DateTime<Utc>>, StorageError> {
        let now = self.now();
        for _ in 0..TRIES {
            match self.storage.next_held().await? {
                Some((at, team)) if at <= now => self.release(TeamScope::operator(team), now).await?,
                next => return Ok(next.map(|(at, _)| at)),
            }
        }
        Ok(Some(now))
    }

    /// Returns when the next held record may have become another one.
    pub async fn held_changed(&self) {
        self.held_changed.notified().await;
    }

    /// Forgets tombstones older than [`TOMBSTONES`], of all teams.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn sweep(&self) -> Result<u64, StorageError> {
        let before = self.now() - TOMBSTONES;
        let mut swept = 0;
        for team in self.storage.teams().await? {
            swept += self.storage.sweep(TeamScope::operator(team.id), before).await?;
        }
        Ok(swept)
    }

    async fn release(&self, team: TeamScope, now: DateTime<Utc>) -> Result<(), StorageError> {
        let due = self.storage.held(team, now, AT_ONCE).await?;
        let expects = due.iter().map(|row| (row.key(), row.record.seq)).collect();
        let shown = |row: Row| Row { held: false, record: Record { updated_at: now, ..row.record }, ..row };
        let writes: Vec<Row> = due.into_iter().map(shown).collect();
        let scopes: Vec<Scope> = writes.iter().map(|row| row.record.scope).collect();
        match self.storage.commit(team, Batch { expects, writes, ..Batch::default() }).await? {
            Commit::Done(seqs) => {
                let upto: BTreeMap<Scope, u64> = scopes.into_iter().zip(seqs).collect();
                for (scope, seq) in upto {
                    self.hub.moved(team.id(), scope, seq);
                }
            }
            // Somebody else released or changed one of them: looked at again.
            Commit::Stale | Commit::InviteGone => {}
        }
        Ok(())
    }
}
