//! A backend that forgets everything when it is dropped: for tests, and the
//! shortest description of what a backend does.
//!
//! One mutex holds it all, so every call sees one state and commits are in
//! one order. Pages are found by walking the rows: it is not meant to be big.

mod people;

use crate::row::{goes_first, guest_reads, weight};
use crate::storage::{
    Account, Attempts, AuditEntry, Batch, Bearer, Change, Changes, Commit, Current, Device, Invite, Limit, Page,
    Standing, Storage, StorageError, Sweep, Taken, Team, Token, Tried,
};
use crate::{Key, Row, SecretHash, TeamScope};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId, PersonId, TeamId};
use meantime_protocol::{Epoch, Kind, Record, Scope};
use people::People;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Everything in one map each.
#[derive(Debug)]
pub struct Memory {
    epoch: Epoch,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    teams: Vec<Team>,
    people: People,
    taken: HashMap<(TeamId, DeviceId, u64), (OpId, DateTime<Utc>)>,
    forgotten: HashMap<(TeamId, DeviceId), u64>,
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
            bytes += weight(&record.fields);
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

    async fn writable(&self) -> Result<(), StorageError> {
        Ok(())
    }

    async fn bearer(&self, token: SecretHash) -> Result<Option<Bearer>, StorageError> {
        Ok(self.state().bearer(token))
    }

    async fn invite(&self, secret: SecretHash) -> Result<Option<Invite>, StorageError> {
        Ok(self.state().people.invites.iter().find(|i| i.secret == secret).cloned())
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

    async fn get(&self, team: TeamScope, keys: &[Key]) -> Result<Vec<Option<Row>>, StorageError> {
        let state = self.state();
        Ok(keys.iter().map(|key| state.rows.get(&(team.id(), key.clone())).cloned()).collect())
    }

    async fn taken(&self, team: TeamScope, device: DeviceId, ns: &[u64]) -> Result<Taken, StorageError> {
        let state = self.state();
        let ops = ns.iter().map(|n| state.taken.get(&(team.id(), device, *n)).map(|(op, _)| *op)).collect();
        Ok(Taken { ops, forgotten: state.forgotten.get(&(team.id(), device)).copied() })
    }

    async fn commit(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let access = state.people.access.get(&team.id()).copied().unwrap_or_default();
        let seq_of = |key: &Key| state.rows.get(&(team.id(), key.clone())).map_or(0, |row| row.record.seq);
        if batch.access.is_some_and(|relied| relied != access)
            || batch.expects.iter().any(|(key, seq)| seq_of(key) != *seq)
            || batch.taken.iter().any(|(device, n, _)| state.taken.contains_key(&(team.id(), *device, *n)))
            || batch.taken.iter().any(|(device, ..)| !state.people.has_device(team.id(), *device))
        {
            return Ok(Commit::Stale);
        }
        let unretired = |token| state.people.tokens.iter().any(|(_, t)| t.hash == token && t.retired_at.is_none());
        if batch.changes.iter().any(|change| matches!(change, Change::UseToken { token, .. } if !unretired(*token))) {
            return Ok(Commit::Stale);
        }
        // Looked at first, so that nothing has to be undone.
        let usable = |secret| state.people.invites.iter().any(|i| i.secret == secret && i.team == team.id() && !i.used);
        if batch.changes.iter().any(|change| matches!(change, Change::UseInvite(secret) if !usable(*secret))) {
            return Ok(Commit::InviteGone);
        }
        for (device, n, op) in batch.taken {
            state.taken.insert((team.id(), device, n), (op, batch.at));
        }
        if batch.changes.iter().any(Change::moves_access) {
            state.people.access.insert(team.id(), access + 1);
        }
        for change in batch.changes {
            state.change(team, change);
        }
        for entry in batch.audit {
            state.people.note(team, entry);
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

    async fn scopes(&self, team: TeamScope, after: Option<Scope>, limit: usize) -> Result<Vec<Scope>, StorageError> {
        let state = self.state();
        let theirs = state.scopes.keys().filter(|(of, _)| *of == team.id());
        let named: BTreeMap<String, Scope> = theirs.map(|(_, scope)| (scope.to_string(), *scope)).collect();
        let after = after.map(|scope| scope.to_string());
        let wanted = named.into_iter().filter(|(name, _)| after.as_ref().is_none_or(|after| name > after));
        Ok(wanted.map(|(_, scope)| scope).take(limit).collect())
    }

    async fn changes(&self, team: TeamScope, from: &Changes) -> Result<Page, StorageError> {
        let state = self.state();
        let mut rows: Vec<&Row> =
            state.rows(team).filter(|row| seen(row, from.scope, &|r| r.seq > from.after)).collect();
        let known = from.guest.then(|| state.people.known_to(team, from.reader));
        rows.retain(|row| row.visible_to(from.reader) && for_guest(row, known.as_ref()));
        rows.sort_by_key(|row| row.record.seq);
        Ok(state.page(rows.into_iter(), from.limit, state.counter(team, from.scope)))
    }

    async fn current(&self, team: TeamScope, from: &Current) -> Result<Page, StorageError> {
        let state = self.state();
        let wanted = |r: &Record| r.seq < from.below && !r.deleted && goes_first(&r.kind) == from.first;
        let mut rows: Vec<&Row> = state.rows(team).filter(|row| seen(row, from.scope, &wanted)).collect();
        let known = from.guest.then(|| state.people.known_to(team, from.reader));
        rows.retain(|row| row.visible_to(from.reader) && for_guest(row, known.as_ref()));
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

    async fn rows(
        &self,
        team: TeamScope,
        scope: Scope,
        kind: &Kind,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Row>, StorageError> {
        let state = self.state();
        let wanted = |row: &&Row| {
            let Record { scope: of, kind: is, id, .. } = &row.record;
            *of == scope && is == kind && after.is_none_or(|after| *id > after)
        };
        Ok(state.rows(team).filter(wanted).take(limit).cloned().collect())
    }

    async fn sweep(&self, team: TeamScope, old: &Sweep) -> Result<u64, StorageError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut swept = 0;
        state.rows.retain(|(id, key), Row { record, .. }| {
            let goes = *id == team.id() && record.deleted && record.updated_at < old.tombstones;
            if goes {
                swept += 1;
                let counter = state.scopes.entry((*id, key.scope)).or_default();
                counter.min_seq = counter.min_seq.max(record.seq);
            }
            !goes
        });
        state.taken.retain(|(id, device, n), (_, at)| {
            let goes = *id == team.id() && *at < old.taken;
            if goes {
                let forgotten = state.forgotten.entry((*id, *device)).or_default();
                *forgotten = (*n).max(*forgotten);
            }
            !goes
        });
        let people = &mut state.people;
        people.tokens.retain(|(id, token)| *id != team.id() || token.retired_at.is_none_or(|at| at >= old.tokens));
        people.invites.retain(|invite| invite.team != team.id() || invite.expires_at >= old.invites);
        people.attempts.retain(|(id, of), attempts| {
            *id != team.id() || matches!(of, Tried::Person(_)) || attempts.at >= old.attempts
        });
        let log = people.audit.entry(team.id()).or_default();
        let newest = log.last().map(|entry| entry.seq);
        log.retain(|entry| entry.at >= old.audit || Some(entry.seq) == newest);
        Ok(swept)
    }

    async fn access(&self, team: TeamScope) -> Result<u64, StorageError> {
        Ok(self.state().people.access.get(&team.id()).copied().unwrap_or_default())
    }

    async fn standing(&self, team: TeamScope, device: DeviceId) -> Result<Option<Standing>, StorageError> {
        Ok(self.state().standing(team, device))
    }

    async fn devices(&self, team: TeamScope, person: PersonId) -> Result<Vec<Device>, StorageError> {
        let state = self.state();
        let theirs = state.people.devices.iter().filter(|d| d.team == team.id() && d.person == person);
        let mut devices: Vec<Device> = theirs.cloned().collect();
        devices.sort_by_key(|device| (device.since, device.id));
        Ok(devices)
    }

    async fn tokens(&self, team: TeamScope, device: DeviceId) -> Result<Vec<Token>, StorageError> {
        let state = self.state();
        let theirs = state.people.tokens.iter().filter(|(of, token)| *of == team.id() && token.device == device);
        let mut tokens: Vec<Token> = theirs.map(|(_, token)| token.clone()).collect();
        tokens.sort_by_key(|token| token.issued_at);
        Ok(tokens)
    }

    async fn seen(&self, team: TeamScope, device: DeviceId, at: DateTime<Utc>) -> Result<(), StorageError> {
        let mut state = self.state();
        for known in state.people.devices.iter_mut().filter(|d| d.team == team.id() && d.id == device) {
            known.seen_at = at;
        }
        Ok(())
    }

    async fn account(&self, team: TeamScope, person: PersonId) -> Result<Option<Account>, StorageError> {
        Ok(self.state().people.accounts.get(&(team.id(), person)).cloned())
    }

    async fn account_named(&self, team: TeamScope, login: &str) -> Result<Option<Account>, StorageError> {
        let state = self.state();
        let mut named = state.people.accounts.iter().filter(|((of, _), a)| *of == team.id() && a.login == login);
        Ok(named.next().map(|(_, account)| account.clone()))
    }

    async fn authenticators(&self, team: TeamScope) -> Result<Vec<Account>, StorageError> {
        let state = self.state();
        let theirs = state.people.accounts.iter().filter(|((of, _), a)| *of == team.id() && a.totp.is_some());
        Ok(theirs.map(|(_, account)| account.clone()).collect())
    }

    async fn circles(&self, team: TeamScope, people: &[PersonId]) -> Result<Vec<Vec<Uuid>>, StorageError> {
        let state = self.state();
        Ok(people.iter().map(|person| state.people.circles_of(team, *person)).collect())
    }

    async fn invites(&self, team: TeamScope, now: DateTime<Utc>) -> Result<Vec<Invite>, StorageError> {
        let state = self.state();
        let open = |invite: &&Invite| invite.team == team.id() && !invite.used && invite.expires_at > now;
        Ok(state.people.invites.iter().filter(open).cloned().collect())
    }

    async fn attempts(&self, team: TeamScope, of: Tried) -> Result<Option<Attempts>, StorageError> {
        Ok(self.state().people.attempts.get(&(team.id(), of)).copied())
    }

    async fn failed(
        &self,
        team: TeamScope,
        of: Tried,
        at: DateTime<Utc>,
        since: DateTime<Utc>,
    ) -> Result<u32, StorageError> {
        Ok(self.state().people.failed(team, of, at, since))
    }

    async fn forget_attempts(&self, team: TeamScope, of: Tried) -> Result<(), StorageError> {
        self.state().people.attempts.remove(&(team.id(), of));
        Ok(())
    }

    async fn audit(&self, team: TeamScope, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StorageError> {
        let state = self.state();
        let log = state.people.audit.get(&team.id()).map(Vec::as_slice).unwrap_or_default();
        let wanted = log.iter().rev().filter(|entry| before.is_none_or(|before| entry.seq < before));
        Ok(wanted.take(limit).cloned().collect())
    }
}

fn seen(row: &Row, scope: Scope, wanted: &dyn Fn(&Record) -> bool) -> bool {
    row.record.scope == scope && wanted(&row.record)
}

fn for_guest(row: &Row, known: Option<&BTreeSet<Uuid>>) -> bool {
    known.is_none_or(|known| guest_reads(&row.record.kind, known.contains(&row.record.id)))
}
