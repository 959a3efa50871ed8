//! Any backend behind one type, for a program that chooses it while it runs,
//! with somebody who hears how each call ended.
//!
//! Every method of [`Storage`] is passed on here, those with a default too:
//! whoever adds one there adds its line here.

use crate::storage::{Batch, Changes, Commit, Current, Device, Invite, Page, Storage, StorageError, Team};
use crate::{Key, Row, SecretHash, TeamScope};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId, TeamId};
use meantime_protocol::{Epoch, Scope};
use std::sync::Arc;

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
}

impl Shared {
    /// That backend, with `watch` told of every call.
    #[must_use]
    pub fn watched(storage: Arc<dyn Storage>, watch: Arc<dyn Watch>) -> Self {
        Self { storage, watch }
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
        Self { storage, watch: Arc::new(()) }
    }
}

#[async_trait]
impl Storage for Shared {
    async fn epoch(&self) -> Result<Epoch, StorageError> {
        self.told("epoch", self.storage.epoch()).await
    }

    async fn device(&self, token: SecretHash) -> Result<Option<Device>, StorageError> {
        self.told("device", self.storage.device(token)).await
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

    async fn add_invite(&self, team: TeamScope, invite: &Invite) -> Result<(), StorageError> {
        self.told("add_invite", self.storage.add_invite(team, invite)).await
    }

    async fn get(&self, team: TeamScope, keys: &[Key]) -> Result<Vec<Option<Row>>, StorageError> {
        self.told("get", self.storage.get(team, keys)).await
    }

    async fn taken(&self, team: TeamScope, device: DeviceId, ns: &[u64]) -> Result<Vec<Option<OpId>>, StorageError> {
        self.told("taken", self.storage.taken(team, device, ns)).await
    }

    async fn commit(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError> {
        self.told("commit", self.storage.commit(team, batch)).await
    }

    async fn upto(&self, team: TeamScope, scopes: &[Scope]) -> Result<Vec<u64>, StorageError> {
        self.told("upto", self.storage.upto(team, scopes)).await
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

    async fn sweep(&self, team: TeamScope, before: DateTime<Utc>) -> Result<u64, StorageError> {
        self.told("sweep", self.storage.sweep(team, before)).await
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
