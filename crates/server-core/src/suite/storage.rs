//! What the storage promises by itself.

use super::world::World;
use crate::storage::{Batch, Bearer, Change, Changes, Commit, Device, Limit, Standing, Sweep, Token};
use crate::{Row, SecretHash, Storage, TeamScope};
use meantime_model::{DeviceId, OpId, PersonId};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Kind, Scope};

pub async fn a_stale_commit_leaves_nothing<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "There").await;
    let team = TeamScope::operator(world.team);
    let storage = world.core.storage();
    let row = row(&world, thread).await;
    let before = storage.upto(team, &[world.scope()]).await.unwrap();
    let op = OpId::new();
    let mut fresh = row.clone();
    fresh.record.id = uuid::Uuid::now_v7();
    for expects in [vec![(row.key(), row.record.seq - 1)], vec![(row.key(), 0)], vec![(fresh.key(), 1)]] {
        let taken = vec![(ana.actor.device, 77, op)];
        let batch = Batch { expects, taken, writes: vec![fresh.clone()], ..Batch::default() };
        assert_eq!(storage.commit(team, batch).await.unwrap(), Commit::Stale);
    }
    assert_eq!(storage.upto(team, &[world.scope()]).await.unwrap(), before);
    assert_eq!(storage.taken(team, ana.actor.device, &[77]).await.unwrap().ops, [None]);
    assert_eq!(storage.get(team, &[fresh.key()]).await.unwrap(), [None]);
    let good = Batch {
        expects: vec![(row.key(), row.record.seq), (fresh.key(), 0)],
        taken: vec![(ana.actor.device, 77, op)],
        writes: vec![fresh.clone()],
        ..Batch::default()
    };
    assert_eq!(storage.commit(team, good.clone()).await.unwrap(), Commit::Done(vec![before[0] + 1]));
    assert_eq!(storage.taken(team, ana.actor.device, &[76, 77]).await.unwrap().ops, [None, Some(op)]);
    let again = Batch { expects: Vec::new(), ..good };
    assert_eq!(storage.commit(team, again).await.unwrap(), Commit::Stale, "its op is taken");
    // What was written comes back as it was.
    let kept = storage.get(team, &[fresh.key()]).await.unwrap().remove(0).unwrap();
    fresh.record.seq = before[0] + 1;
    assert_eq!(kept, fresh);
}

pub async fn a_commit_uses_an_invite_up<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = TeamScope::operator(world.team);
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    let invite = SecretHash::of(&world.invite(Role::Member).await);
    let device = |team: TeamScope, token: &str| {
        let (id, hash) = (DeviceId::new(), SecretHash::of(token));
        let (since, person) = (super::noon(), PersonId::new());
        let device = Device { id, team: team.id(), person, name: "laptop".to_owned(), since, seen_at: since };
        (device, Token { hash, device: id, issued_at: since, used: true, retired_at: None })
    };
    let batch = |(device, token): (Device, Token)| {
        let changes = vec![Change::UseInvite(invite), Change::AddDevice(device, token)];
        Batch { changes, ..Batch::default() }
    };
    let storage = world.core.storage();
    let first = device(team, "first");
    assert_eq!(storage.commit(theirs, batch(device(theirs, "theirs"))).await.unwrap(), Commit::InviteGone);
    assert_eq!(storage.commit(team, batch(first.clone())).await.unwrap(), Commit::Done(Vec::new()));
    assert_eq!(storage.commit(team, batch(device(team, "second"))).await.unwrap(), Commit::InviteGone);
    assert!(storage.invite(invite).await.unwrap().unwrap().used);
    let bearer = storage.bearer(SecretHash::of("first")).await.unwrap().unwrap();
    let standing = Standing { device: first.0, member: None, circles: Vec::new() };
    assert_eq!(bearer, Bearer { token: first.1, standing });
    for token in ["second", "theirs"] {
        assert_eq!(storage.bearer(SecretHash::of(token)).await.unwrap(), None);
    }
}

/// All that there was before an instant.
pub(super) fn everything_before(at: chrono::DateTime<chrono::Utc>) -> Sweep {
    Sweep { tombstones: at, taken: at, tokens: at, invites: at, attempts: at, audit: at }
}

pub async fn counters_have_no_gap<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "There").await;
    let team = TeamScope::operator(world.team);
    let row = row(&world, thread).await;
    let mut other = row.clone();
    other.record.scope = ana.scope();
    // Two scopes in one batch, one row twice: each scope counts for itself.
    let batch = Batch { writes: vec![row.clone(), other.clone(), row.clone(), other], ..Batch::default() };
    let seq = row.record.seq;
    let done = world.core.storage().commit(team, batch).await.unwrap();
    assert_eq!(done, Commit::Done(vec![seq + 1, 1, seq + 2, 2]));
    let upto = world.core.storage().upto(team, &[world.scope(), ana.scope()]).await.unwrap();
    assert_eq!(upto, [seq + 2, 2]);
}

pub async fn feeds_are_listed<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let row = row(&world, world.thread(&ana, "There").await).await;
    let team = TeamScope::operator(world.team);
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    let storage = world.core.storage();
    // Whoever reads them, if anybody.
    let mut scopes: Vec<Scope> = (0..5).map(|_| Scope::Private(uuid::Uuid::now_v7())).collect();
    scopes.push(ana.scope());
    let into = |scope: &Scope| {
        let mut row = row.clone();
        row.record.scope = *scope;
        row
    };
    let batch = Batch { writes: scopes.iter().map(into).collect(), ..Batch::default() };
    storage.commit(team, batch).await.unwrap();
    scopes.push(world.scope());
    scopes.sort_by_key(Scope::to_string);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let some = storage.scopes(team, after, 2).await.unwrap();
        after = some.last().copied();
        found.extend(some);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, scopes);
    assert!(storage.scopes(theirs, None, 9).await.unwrap().is_empty());
}

pub async fn a_try_to_write_changes_nothing<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let team = TeamScope::operator(world.team);
    let storage = world.core.storage();
    let now = async || (storage.upto(team, &[world.scope()]).await.unwrap(), storage.access(team).await.unwrap());
    let before = now().await;
    for _ in 0..3 {
        storage.writable().await.unwrap();
    }
    assert_eq!(now().await, before);
    world.thread(&ana, "goes on").await;
}

pub async fn teams_are_apart<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "Ours").await;
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    let storage = world.core.storage();
    let key = row(&world, thread).await.key();
    assert_eq!(storage.get(theirs, std::slice::from_ref(&key)).await.unwrap(), [None]);
    assert_eq!(storage.upto(theirs, &[world.scope()]).await.unwrap(), [0]);
    assert_eq!(storage.taken(theirs, ana.actor.device, &[1]).await.unwrap().ops, [None]);
    let from = Changes {
        scope: world.scope(),
        reader: ana.actor.person,
        guest: false,
        after: 0,
        limit: Limit { rows: 10, bytes: 1 << 20 },
    };
    assert!(storage.changes(theirs, &from).await.unwrap().rows.is_empty());
    assert_eq!(
        storage.sweep(theirs, &everything_before(super::noon() + chrono::TimeDelta::days(999))).await.unwrap(),
        0
    );
    assert_eq!(storage.teams().await.unwrap().len(), 2);
    assert_eq!(key.kind, Kind::THREAD);
}

async fn row<S: Storage>(world: &World<S>, thread: uuid::Uuid) -> Row {
    let key = crate::Key { scope: world.scope(), kind: Kind::THREAD, id: thread };
    let rows = world.core.storage().get(TeamScope::operator(world.team), &[key]).await.unwrap();
    rows.into_iter().next().flatten().unwrap()
}
