//! A backend that forgets everything when it is dropped: for tests, and the
//! shortest description of what a backend does.
//!
//! One mutex holds it all, so every call sees one state and commits are in
//! one order. Pages are found by walking the rows: it is not meant to be big.

use crate::row::goes_first;
use crate::storage::{Batch, Changes, Commit, Current, Device, Invite, Limit, Page, Storage, StorageError, Team};
use crate::{Key, Row, SecretHash, TeamScope};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId, TeamId};
use meantime_protocol::{Epoch, Record, Scope};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Everything in one map each.
#[derive(Debug)]
pub struct Memory {
    epoch: Epoch,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    teams: Vec<Team>,
    devices: Vec<Device>,
    invites: Vec<Invite>,
    taken: HashMap<(TeamId, DeviceId, u64), OpId>,
    scopes: HashMap<(TeamId, Scope), Counter>,
    rows: BTreeMap<(TeamId, Key), Row>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    seq: u64,
    min_seq: u64,
}

impl Memory {
    /// An empty one.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn counter(&self, team: TeamScope, scope: Scope) -> Counter {
        self.scopes.get(&(team.id(), scope)).copied().unwrap_or_default()
    }

    fn rows(&self, team: TeamScope) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |((id, _), _)| *id == team.id()).map(|(_, row)| row)
    }

    fn page<'a>(&self, rows: impl Iterator<Item = &'a Row>, limit: Limit, counter: Counter) -> Page {
        let mut page = Page { upto: counter.seq, min_seq: counter.min_seq, ..Page::default() };
        let mut bytes = 0;
        for Row { record, .. } in rows {
            if page.rows.len() >= limit.rows || bytes > limit.bytes {
                page.more = true;
                break;
            }
            bytes += serde_json::to_string(&record.fields).map_or(0, |text| text.len());
            page.rows.push(record.clone());
        }
        page
    }
}

#[async_trait]
impl Storage for Memory {
    async fn epoch(&self) -> Result<Epoch, StorageError> {
        Ok(self.epoch)
    }

    async fn device(&self, token: SecretHash) -> Result<Option<Device>, StorageError> {
        Ok(self.state().devices.iter().find(|d| d.token == token).cloned())
    }

    async fn invite(&self, secret: SecretHash) -> Result<Option<Invite>, StorageError> {
        Ok(self.state().invites.iter().find(|i| i.secret == secret).cloned())
    }

    async fn teams(&self) -> Result<Vec<Team>, StorageError> {
        Ok(self.state().teams.clone())
    }

    async fn next_held(&self) -> Result<Option<(DateTime<Utc>, TeamId)>, StorageError> {
        let state = self.state();
        let held = state.rows.iter().filter(|(_, row)| row.held && !row.record.deleted);
        Ok(held.filter_map(|((team, _), row)| Some((row.record.visible_from?, *team))).min())
    }

    async fn found(&self, team: TeamScope, name: &str, _at: DateTime<Utc>) -> Result<(), StorageError> {
        self.state().teams.push(Team { id: team.id(), name: name.to_owned() });
        Ok(())
    }

    async fn team(&self, team: TeamScope) -> Result<Option<Team>, StorageError> {
        Ok(self.state().teams.iter().find(|t| t.id == team.id()).cloned())
    }

    async fn add_invite(&self, team: TeamScope, invite: &Invite) -> Result<(), StorageError> {
        self.state().invites.push(Invite { team: team.id(), ..invite.clone() });
        Ok(())
    }

    async fn get(&self, team: TeamScope, keys: &[Key]) -> Result<Vec<Option<Row>>, StorageError> {
        let state = self.state();
        Ok(keys.iter().map(|key| state.rows.get(&(team.id(), key.clone())).cloned()).collect())
    }

    async fn taken(&self, team: TeamScope, device: DeviceId, ns: &[u64]) -> Result<Vec<Option<OpId>>, StorageError> {
        let state = self.state();
        Ok(ns.iter().map(|n| state.taken.get(&(team.id(), device, *n)).copied()).collect())
    }

    async fn commit(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let seq_of = |key: &Key| state.rows.get(&(team.id(), key.clone())).map_or(0, |row| row.record.seq);
        if batch.expects.iter().any(|(key, seq)| seq_of(key) != *seq)
            || batch.taken.iter().any(|(device, n, _)| state.taken.contains_key(&(team.id(), *device, *n)))
        {
            return Ok(Commit::Stale);
        }
        if let Some(join) = batch.join {
            let invite = state.invites.iter_mut().find(|i| i.secret == join.invite && i.team == team.id());
            match invite {
                Some(invite) if !invite.used => invite.used = true,
                _ => return Ok(Commit::InviteGone),
            }
            state.devices.push(join.device);
        }
        for (device, n, op) in batch.taken {
            state.taken.insert((team.id(), device, n), op);
        }
        let mut seqs = Vec::with_capacity(batch.writes.len());
        for mut row in batch.writes {
            let counter = state.scopes.entry((team.id(), row.record.scope)).or_default();
            counter.seq += 1;
            row.record.seq = counter.seq;
            seqs.push(counter.seq);
            state.rows.insert((team.id(), row.key()), row);
        }
        Ok(Commit::Done(seqs))
    }

    async fn upto(&self, team: TeamScope, scopes: &[Scope]) -> Result<Vec<u64>, StorageError> {
        let state = self.state();
        Ok(scopes.iter().map(|scope| state.counter(team, *scope).seq).collect())
    }

    async fn changes(&self, team: TeamScope, from: &Changes) -> Result<Page, StorageError> {
        let state = self.state();
        let mut rows: Vec<&Row> =
            state.rows(team).filter(|row| seen(row, from.scope, &|r| r.seq > from.after)).collect();
        rows.retain(|row| row.visible_to(from.reader));
        rows.sort_by_key(|row| row.record.seq);
        Ok(state.page(rows.into_iter(), from.limit, state.counter(team, from.scope)))
    }

    async fn current(&self, team: TeamScope, from: &Current) -> Result<Page, StorageError> {
        let state = self.state();
        let wanted = |r: &Record| r.seq < from.below && !r.deleted && goes_first(&r.kind) == from.first;
        let mut rows: Vec<&Row> = state.rows(team).filter(|row| seen(row, from.scope, &wanted)).collect();
        rows.retain(|row| row.visible_to(from.reader));
        rows.sort_by_key(|row| std::cmp::Reverse(row.record.seq));
        Ok(state.page(rows.into_iter(), from.limit, state.counter(team, from.scope)))
    }

    async fn held(&self, team: TeamScope, due: DateTime<Utc>, limit: usize) -> Result<Vec<Row>, StorageError> {
        let state = self.state();
        let waits = |row: &&Row| row.held && !row.record.deleted && row.record.visible_from.is_some_and(|at| at <= due);
        let mut rows: Vec<Row> = state.rows(team).filter(waits).cloned().collect();
        rows.sort_by(|Row { record: a, .. }, Row { record: b, .. }| {
            (a.visible_from, a.created_at).cmp(&(b.visible_from, b.created_at)).then_with(|| b.kind.cmp(&a.kind))
        });
        rows.truncate(limit);
        Ok(rows)
    }

    async fn sweep(&self, team: TeamScope, before: DateTime<Utc>) -> Result<u64, StorageError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut swept = 0;
        state.rows.retain(|(id, key), Row { record, .. }| {
            let goes = *id == team.id() && record.deleted && record.updated_at < before;
            if goes {
                swept += 1;
                let counter = state.scopes.entry((*id, key.scope)).or_default();
                counter.min_seq = counter.min_seq.max(record.seq);
            }
            !goes
        });
        Ok(swept)
    }
}

fn seen(row: &Row, scope: Scope, wanted: &dyn Fn(&Record) -> bool) -> bool {
    row.record.scope == scope && wanted(&row.record)
}
