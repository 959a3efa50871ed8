//! Sends later: makes held records visible when their time has come, and
//! forgets what is old.

use crate::core::TRIES;
use crate::limits::{AUDIT_KEPT, OPS_KEPT, TOKENS_KEPT, TOMBSTONES, TRIES_KEPT};
use crate::storage::{Batch, Storage, StorageError, Sweep};
use crate::{Core, Row, TeamScope};
use chrono::{DateTime, Utc};
use meantime_protocol::Record;

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

    async fn release(&self, team: TeamScope, now: DateTime<Utc>) -> Result<(), StorageError> {
        let due = self.storage.held(team, now, AT_ONCE).await?;
        let expects = due.iter().map(|row| (row.key(), row.record.seq)).collect();
        let shown = |row: Row| Row { held: false, record: Record { updated_at: now, ..row.record }, ..row };
        let writes: Vec<Row> = due.into_iter().map(shown).collect();
        // Stale: somebody else released or changed one of them; looked at again.
        self.carry_out(team, Batch { at: now, expects, writes, ..Batch::default() }).await.map(drop)
    }
}
