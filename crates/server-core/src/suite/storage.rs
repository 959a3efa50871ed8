//! What the storage promises by itself.

use super::world::World;
use crate::storage::{Batch, Changes, Commit, Device, Join, Limit};
use crate::{Row, SecretHash, Storage, TeamScope};
use meantime_model::{DeviceId, OpId, PersonId};
use meantime_protocol::Kind;
use meantime_protocol::kinds::Role;

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
        let batch = Batch { expects, taken, writes: vec![fresh.clone()], join: None };
        assert_eq!(storage.commit(team, batch).await.unwrap(), Commit::Stale);
    }
    assert_eq!(storage.upto(team, &[world.scope()]).await.unwrap(), before);
    assert_eq!(storage.taken(team, ana.actor.device, &[77]).await.unwrap(), [None]);
    assert_eq!(storage.get(team, &[fresh.key()]).await.unwrap(), [None]);
    let good = Batch {
        expects: vec![(row.key(), row.record.seq), (fresh.key(), 0)],
        taken: vec![(ana.actor.device, 77, op)],
        writes: vec![fresh.clone()],
        join: None,
    };
    assert_eq!(storage.commit(team, good.clone()).await.unwrap(), Commit::Done(vec![before[0] + 1]));
    assert_eq!(storage.taken(team, ana.actor.device, &[76, 77]).await.unwrap(), [None, Some(op)]);
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
    let join = |team: TeamScope, token: &str| Join {
        invite,
        device: Device {
            id: DeviceId::new(),
            team: team.id(),
            person: PersonId::new(),
            token: SecretHash::of(token),
            name: "laptop".to_owned(),
            since: super::noon(),
        },
    };
    let batch = |join| Batch { join: Some(join), ..Batch::default() };
    let storage = world.core.storage();
    let first = join(team, "first");
    assert_eq!(storage.commit(theirs, batch(join(theirs, "theirs"))).await.unwrap(), Commit::InviteGone);
    assert_eq!(storage.commit(team, batch(first.clone())).await.unwrap(), Commit::Done(Vec::new()));
    assert_eq!(storage.commit(team, batch(join(team, "second"))).await.unwrap(), Commit::InviteGone);
    assert!(storage.invite(invite).await.unwrap().unwrap().used);
    assert_eq!(storage.device(SecretHash::of("first")).await.unwrap(), Some(first.device));
    for token in ["second", "theirs"] {
        assert_eq!(storage.device(SecretHash::of(token)).await.unwrap(), None);
    }
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

pub async fn teams_are_apart<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "Ours").await;
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    let storage = world.core.storage();
    let key = row(&world, thread).await.key();
    assert_eq!(storage.get(theirs, std::slice::from_ref(&key)).await.unwrap(), [None]);
    assert_eq!(storage.upto(theirs, &[world.scope()]).await.unwrap(), [0]);
    assert_eq!(storage.taken(theirs, ana.actor.device, &[1]).await.unwrap(), [None]);
    let from =
        Changes { scope: world.scope(), reader: ana.actor.person, after: 0, limit: Limit { rows: 10, bytes: 1 << 20 } };
    assert!(storage.changes(theirs, &from).await.unwrap().rows.is_empty());
    assert_eq!(storage.sweep(theirs, super::noon() + chrono::TimeDelta::days(999)).await.unwrap(), 0);
    assert_eq!(storage.teams().await.unwrap().len(), 2);
    assert_eq!(key.kind, Kind::THREAD);
}

async fn row<S: Storage>(world: &World<S>, thread: uuid::Uuid) -> Row {
    let key = crate::Key { scope: world.scope(), kind: Kind::THREAD, id: thread };
    let rows = world.core.storage().get(TeamScope::operator(world.team), &[key]).await.unwrap();
    rows.into_iter().next().flatten().unwrap()
}
