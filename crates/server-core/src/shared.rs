//! Any backend behind one type, for a program that chooses it while it runs,
//! with somebody who hears how each call ended.
//!
//! Every method of [`Storage`] is passed on here, those with a default too:
//! whoever adds one there adds its line here.

use crate::pokes::Moved;
use crate::storage::{
    Account, Attempts, AuditEntry, Batch, Bearer, Changes, Commit, Concerned, Current, Device, Invite, Page, Standing,
    Storage, StorageError, Sweep, Taken, Team, Token, Tried,
};
use crate::{Key, Row, SecretHash, TeamScope};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::{Epoch, Kind, Scope};
use std::sync::Arc;
use uuid::Uuid;

/// Hears of every call to the storage. Called from many tasks at once; must
/// not wait.
pub trait Watch: Send + Sync + 'static {
    /// A call of that name ended.
    fn ended(&self, call: &'static str, error: Option<&StorageError>);
}

impl Watch for () {
    fn ended(&self, _: &'static str, _: Option<&StorageError>) {}
}

/// A backend chosen while the program runs. Cloning it is cheap and gives the
/// same one.
#[derive(Clone)]
pub struct Shared {
    storage: Arc<dyn Storage>,
    watch: Arc<dyn Watch>,
    /// Others write through the same value, of whom the backend knows nothing.
    one_of_many: bool,
}

impl Shared {
    /// That backend, with `watch` told of every call. Nobody in this process
    /// writes past it.
    #[must_use]
    pub fn watched(storage: Arc<dyn Storage>, watch: Arc<dyn Watch>) -> Self {
        Self { storage, watch, one_of_many: false }
    }

    async fn told<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let answer = answer.await;
        self.watch.ended(call, answer.as_ref().err());
        answer
    }
}

impl<S: Storage> From<Arc<S>> for Shared {
    fn from(storage: Arc<S>) -> Self {
        Self { storage, watch: Arc::new(()), one_of_many: true }
    }
}

#[async_trait]
impl Storage for Shared {
    async fn epoch(&self) -> Result<Epoch, StorageError> {
        self.told("epoch", self.storage.epoch()).await
    }

    async fn writable(&self) -> Result<(), StorageError> {
        self.told("writable", self.storage.writable()).await
    }

    async fn bearer(&self, token: SecretHash) -> Result<Option<Bearer>, StorageError> {
        self.told("bearer", self.storage.bearer(token)).await
    }

    async fn invite(&self, secret: SecretHash) -> Result<Option<Invite>, StorageError> {
        self.told("invite", self.storage.invite(secret)).await
    }

    async fn teams(&self) -> Result<Vec<Team>, StorageError> {
        self.told("teams", self.storage.teams()).await
    }

    async fn next_held(&self) -> Result<Option<(DateTime<Utc>, TeamId)>, StorageError> {
        self.told("next_held", self.storage.next_held()).await
    }

    async fn found(&self, team: TeamScope, name: &str, at: DateTime<Utc>) -> Result<(), StorageError> {
        self.told("found", self.storage.found(team, name, at)).await
    }

    async fn team(&self, team: TeamScope) -> Result<Option<Team>, StorageError> {
        self.told("team", self.storage.team(team)).await
    }

    async fn get(&self, team: TeamScope, keys: &[Key]) -> Result<Vec<Option<Row>>, StorageError> {
        self.told("get", self.storage.get(team, keys)).await
    }

    async fn taken(&self, team: TeamScope, device: DeviceId, ns: &[u64]) -> Result<Taken, StorageError> {
        self.told("taken", self.storage.taken(team, device, ns)).await
    }

    async fn commit(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError> {
        self.told("commit", self.storage.commit(team, batch)).await
    }

    async fn upto(&self, team: TeamScope, scopes: &[Scope]) -> Result<Vec<u64>, StorageError> {
        self.told("upto", self.storage.upto(team, scopes)).await
    }

    async fn scopes(&self, team: TeamScope, after: Option<Scope>, limit: usize) -> Result<Vec<Scope>, StorageError> {
        self.told("scopes", self.storage.scopes(team, after, limit)).await
    }

    async fn access_moved(&self, known: &[(TeamId, u64)]) -> Result<Vec<(TeamId, u64)>, StorageError> {
        self.told("access_moved", self.storage.access_moved(known)).await
    }

    async fn concerned(&self, team: TeamScope, after: u64, upto: u64) -> Result<Option<Vec<Concerned>>, StorageError> {
        self.told("concerned", self.storage.concerned(team, after, upto)).await
    }

    async fn others_wrote(&self) -> Result<bool, StorageError> {
        let wrote = self.told("others_wrote", self.storage.others_wrote()).await?;
        Ok(wrote || self.one_of_many)
    }

    async fn newer(&self, known: &[Moved]) -> Result<Vec<Moved>, StorageError> {
        self.told("newer", self.storage.newer(known)).await
    }

    async fn changes(&self, team: TeamScope, from: &Changes) -> Result<Page, StorageError> {
        self.told("changes", self.storage.changes(team, from)).await
    }

    async fn current(&self, team: TeamScope, from: &Current) -> Result<Page, StorageError> {
        self.told("current", self.storage.current(team, from)).await
    }

    async fn held(&self, team: TeamScope, due: DateTime<Utc>, limit: usize) -> Result<Vec<Row>, StorageError> {
        self.told("held", self.storage.held(team, due, limit)).await
    }

    async fn rows(
        &self,
        team: TeamScope,
        scope: Scope,
        kind: &Kind,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Row>, StorageError> {
        self.told("rows", self.storage.rows(team, scope, kind, after, limit)).await
    }

    async fn sweep(&self, team: TeamScope, old: &Sweep) -> Result<u64, StorageError> {
        self.told("sweep", self.storage.sweep(team, old)).await
    }

    async fn access(&self, team: TeamScope) -> Result<u64, StorageError> {
        self.told("access", self.storage.access(team)).await
    }

    async fn standing(&self, team: TeamScope, device: DeviceId) -> Result<Option<Standing>, StorageError> {
        self.told("standing", self.storage.standing(team, device)).await
    }

    async fn devices(&self, team: TeamScope, person: PersonId) -> Result<Vec<Device>, StorageError> {
        self.told("devices", self.storage.devices(team, person)).await
    }

    async fn tokens(&self, team: TeamScope, device: DeviceId) -> Result<Vec<Token>, StorageError> {
        self.told("tokens", self.storage.tokens(team, device)).await
    }

    async fn seen(&self, team: TeamScope, device: DeviceId, at: DateTime<Utc>) -> Result<(), StorageError> {
        self.told("seen", self.storage.seen(team, device, at)).await
    }

    async fn account(&self, team: TeamScope, person: PersonId) -> Result<Option<Account>, StorageError> {
        self.told("account", self.storage.account(team, person)).await
    }

    async fn account_named(&self, team: TeamScope, login: &str) -> Result<Option<Account>, StorageError> {
        self.told("account_named", self.storage.account_named(team, login)).await
    }

    async fn authenticators(&self, team: TeamScope) -> Result<Vec<Account>, StorageError> {
        self.told("authenticators", self.storage.authenticators(team)).await
    }

    async fn circles(&self, team: TeamScope, people: &[PersonId]) -> Result<Vec<Vec<Uuid>>, StorageError> {
        self.told("circles", self.storage.circles(team, people)).await
    }

    async fn invites(&self, team: TeamScope, now: DateTime<Utc>) -> Result<Vec<Invite>, StorageError> {
        self.told("invites", self.storage.invites(team, now)).await
    }

    async fn attempts(&self, team: TeamScope, of: Tried) -> Result<Option<Attempts>, StorageError> {
        self.told("attempts", self.storage.attempts(team, of)).await
    }

    async fn failed(
        &self,
        team: TeamScope,
        of: Tried,
        at: DateTime<Utc>,
        since: DateTime<Utc>,
    ) -> Result<u32, StorageError> {
        self.told("failed", self.storage.failed(team, of, at, since)).await
    }

    async fn forget_attempts(&self, team: TeamScope, of: Tried) -> Result<(), StorageError> {
        self.told("forget_attempts", self.storage.forget_attempts(team, of)).await
    }

    async fn audit(&self, team: TeamScope, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StorageError> {
        self.told("audit", self.storage.audit(team, before, limit)).await
    }
}

#[cfg(test)]
mod tests {
    use super::Shared;
    use crate::memory::Memory;
    use meantime_protocol::Epoch;
    use std::sync::Arc;

    fn fresh() -> (Shared, ()) {
        (Arc::new(Memory::new(Epoch(0xfeed))).into(), ())
    }

    crate::suite!(fresh);
}
