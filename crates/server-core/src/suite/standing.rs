//! What the storage promises about people, devices and circles.

use super::storage::everything_before;
use super::world::World;
use crate::storage::{Account, Attempts, AuditEntry, Batch, Change, Commit, Device, Invite, Token, Totp, Tried};
use crate::{SecretHash, Storage, TeamScope};
use chrono::TimeDelta;
use meantime_model::{DeviceId, OpId, PersonId, TeamId};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Kind, Scope};
use std::sync::Arc;
use uuid::Uuid;

async fn apply<S: Storage>(world: &World<S>, team: TeamScope, changes: Vec<Change>) -> Commit {
    world.core.storage().commit(team, Batch { changes, ..Batch::default() }).await.unwrap()
}

fn token(device: DeviceId, text: &str, minute: i64, used: bool) -> Token {
    let issued_at = super::noon() + TimeDelta::minutes(minute);
    Token { hash: SecretHash::of(text), device, issued_at, used, retired_at: None }
}

fn device(team: TeamScope, person: PersonId, text: &str, minute: i64) -> (Device, Token) {
    let (id, since) = (DeviceId::new(), super::noon() + TimeDelta::minutes(minute));
    let device = Device { id, team: team.id(), person, name: format!("{text}'s"), since, seen_at: since };
    (device, token(id, text, minute, true))
}

pub async fn tokens_follow_each_other<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (team, person) = (TeamScope::operator(world.team), PersonId::new());
    let storage = world.core.storage();
    let (first, one) = device(team, person, "one", 0);
    let (second, other) = device(team, person, "other", 1);
    apply(&world, team, vec![Change::AddDevice(second.clone(), other.clone())]).await;
    apply(&world, team, vec![Change::AddDevice(first.clone(), one.clone())]).await;
    assert_eq!(storage.devices(team, person).await.unwrap(), [first.clone(), second.clone()], "oldest first");
    // A second new token takes the place of the first, which nobody had used.
    let (two, three) = (token(first.id, "two", 2, false), token(first.id, "three", 3, false));
    apply(&world, team, vec![Change::AddToken(two.clone())]).await;
    apply(&world, team, vec![Change::AddToken(three.clone())]).await;
    let retired =
        |token: &Token, minute| Token { retired_at: Some(super::noon() + TimeDelta::minutes(minute)), ..token.clone() };
    assert_eq!(storage.tokens(team, first.id).await.unwrap(), [one.clone(), retired(&two, 3), three.clone()]);
    // The one in whose place it came is used too late.
    let late = Change::UseToken { device: first.id, token: two.hash, at: super::noon() + TimeDelta::minutes(3) };
    assert_eq!(apply(&world, team, vec![late]).await, Commit::Stale);
    assert_eq!(storage.tokens(team, first.id).await.unwrap(), [one.clone(), retired(&two, 3), three.clone()]);
    // Its use retires the one before; what was retired stays so since then.
    let at = super::noon() + TimeDelta::minutes(4);
    apply(&world, team, vec![Change::UseToken { device: first.id, token: three.hash, at }]).await;
    let three = Token { used: true, ..three };
    assert_eq!(storage.tokens(team, first.id).await.unwrap(), [retired(&one, 4), retired(&two, 3), three.clone()]);
    assert_eq!(storage.tokens(team, second.id).await.unwrap(), [other], "another device's are its own");
    for known in [retired(&one, 4), three.clone()] {
        let bearer = storage.bearer(known.hash).await.unwrap().unwrap();
        assert_eq!((bearer.token, &bearer.standing.device), (known, &first));
    }
    storage.sweep(team, &everything_before(super::noon() + TimeDelta::minutes(4))).await.unwrap();
    assert_eq!(storage.tokens(team, first.id).await.unwrap(), [retired(&one, 4), three]);

    let seen_at = super::noon() + TimeDelta::hours(5);
    storage.seen(team, first.id, seen_at).await.unwrap();
    let standing = storage.standing(team, first.id).await.unwrap().unwrap();
    assert_eq!(standing.device, Device { seen_at, ..first.clone() });
    // A device goes with its tokens and numbers.
    let taken = vec![(first.id, 7, OpId::new()), (second.id, 7, OpId::new())];
    storage.commit(team, Batch { taken, ..Batch::default() }).await.unwrap();
    apply(&world, team, vec![Change::RemoveDevice(first.id)]).await;
    assert_eq!(storage.standing(team, first.id).await.unwrap(), None);
    assert_eq!(storage.bearer(SecretHash::of("three")).await.unwrap(), None);
    assert!(storage.tokens(team, first.id).await.unwrap().is_empty());
    assert_eq!(storage.taken(team, first.id, &[7]).await.unwrap().ops, [None]);
    assert!(storage.taken(team, second.id, &[7]).await.unwrap().ops[0].is_some());
    assert_eq!(storage.devices(team, person).await.unwrap(), [second]);
}

pub async fn decisions_about_people_are_ordered<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = TeamScope::operator(world.team);
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    let storage = world.core.storage();
    assert_eq!(storage.access(team).await.unwrap(), 0);
    let (person, circle) = (PersonId::new(), Uuid::now_v7());
    let moves = Batch {
        access: Some(0),
        changes: vec![
            Change::Circle { circle, members: vec![person] },
            Change::Circle { circle, members: vec![person, PersonId::new()] },
        ],
        ..Batch::default()
    };
    assert_eq!(storage.commit(team, moves.clone()).await.unwrap(), Commit::Done(Vec::new()));
    assert_eq!(storage.access(team).await.unwrap(), 1, "one commit, one step");
    assert_eq!(storage.commit(team, moves.clone()).await.unwrap(), Commit::Stale);
    assert_eq!(storage.access(theirs).await.unwrap(), 0);
    assert_eq!(storage.circles(theirs, &[person]).await.unwrap(), [Vec::<Uuid>::new()]);
    assert_eq!(storage.circles(team, &[PersonId::new(), person]).await.unwrap(), [vec![], vec![circle]]);
    // Nobody is in it any more; nothing else moved.
    apply(&world, team, vec![Change::Circle { circle, members: vec![] }]).await;
    assert_eq!(storage.circles(team, &[person]).await.unwrap(), [Vec::<Uuid>::new()]);
    // What lets nobody in or out does not count.
    let of_operator = invite(team, "i", None, None, 1);
    apply(&world, team, vec![Change::AddInvite(of_operator.clone()), Change::UseInvite(of_operator.secret)]).await;
    assert_eq!(storage.access(team).await.unwrap(), 2);
    // How many somebody may make is such a decision.
    apply(&world, team, vec![Change::AddInvite(invite(team, "j", Some(person), None, 1))]).await;
    assert_eq!(storage.access(team).await.unwrap(), 3);
    // All teams at once: those that are known to stand elsewhere.
    let red = theirs.id();
    assert_eq!(storage.access_moved(&[(world.team, 3), (red, 7)]).await.unwrap(), [(red, 0)]);
    assert_eq!(storage.access_moved(&[(world.team, u64::MAX)]).await.unwrap(), [(world.team, 3)]);
    // One that was taken out stands at none of them.
    let gone = TeamId::new();
    assert_eq!(storage.access_moved(&[(gone, 7)]).await.unwrap(), [(gone, 0)]);
}

fn invite(team: TeamScope, secret: &str, by: Option<PersonId>, person: Option<PersonId>, hours: i64) -> Invite {
    let expires_at = super::noon() + TimeDelta::hours(hours);
    Invite { secret: SecretHash::of(secret), team: team.id(), role: Role::Admin, expires_at, used: false, by, person }
}

pub async fn invites_are_whose_they_are<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = TeamScope::operator(world.team);
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    let storage = world.core.storage();
    let (ana, kofi) = (PersonId::new(), PersonId::new());
    let invites = [
        invite(team, "ana's", Some(ana), None, 3),
        invite(team, "for ana", Some(kofi), Some(ana), 3),
        invite(team, "kofi's", Some(kofi), None, 3),
        invite(team, "operator's", None, None, 3),
        invite(team, "old", Some(kofi), None, 1),
        invite(team, "used", Some(ana), None, 3),
    ];
    apply(&world, team, invites.iter().cloned().map(Change::AddInvite).collect()).await;
    apply(&world, theirs, vec![Change::AddInvite(invite(theirs, "red", Some(ana), None, 3))]).await;
    apply(&world, team, vec![Change::UseInvite(invites[5].secret)]).await;
    for kept in &invites[..5] {
        assert_eq!(storage.invite(kept.secret).await.unwrap().as_ref(), Some(kept));
    }
    let now = super::noon() + TimeDelta::hours(1);
    let open = async || {
        let mut secrets: Vec<SecretHash> =
            storage.invites(team, now).await.unwrap().into_iter().map(|invite| invite.secret).collect();
        secrets.sort();
        secrets
    };
    let expected = |of: &[usize]| {
        let mut secrets: Vec<SecretHash> = of.iter().map(|i| invites[*i].secret).collect();
        secrets.sort();
        secrets
    };
    assert_eq!(open().await, expected(&[0, 1, 2, 3]));
    apply(&world, team, vec![Change::DropInvites(ana)]).await;
    assert_eq!(open().await, expected(&[2, 3]));
    assert!(storage.invite(invites[5].secret).await.unwrap().unwrap().used, "what was used is not forgotten");
    assert_eq!(storage.invites(theirs, now).await.unwrap().len(), 1);
    let gone = apply(&world, team, vec![Change::UseInvite(invites[0].secret)]).await;
    assert_eq!(gone, Commit::InviteGone);
    storage.sweep(team, &everything_before(super::noon() + TimeDelta::hours(2))).await.unwrap();
    assert_eq!(storage.invite(invites[4].secret).await.unwrap(), None);
    assert_eq!(open().await, expected(&[2, 3]));
}

pub async fn accounts_are_kept<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = TeamScope::operator(world.team);
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    let storage = world.core.storage();
    let (ana, kofi) = (PersonId::new(), PersonId::new());
    let account = |person, login: &str| Account { person, login: login.into(), password: "x".into(), totp: None };
    for (team, kept) in [(team, account(ana, "ana")), (team, account(kofi, "kofi")), (theirs, account(ana, "ana"))] {
        assert_eq!(apply(&world, team, vec![Change::PutAccount(kept)]).await, Commit::Done(Vec::new()));
    }
    let totp = Some(Totp { secret: vec![0, 255, 7], confirmed: true, last_step: 58_000_000 });
    let changed = Account { password: "y".into(), totp, ..account(ana, "ana.b") };
    apply(&world, team, vec![Change::PutAccount(changed.clone())]).await;
    assert_eq!(storage.account(team, ana).await.unwrap().as_ref(), Some(&changed));
    assert_eq!(storage.account_named(team, "ana.b").await.unwrap().as_ref(), Some(&changed));
    assert_eq!(storage.account_named(team, "ana").await.unwrap(), None);
    assert_eq!(storage.authenticators(team).await.unwrap(), [changed]);
    assert_eq!(storage.authenticators(theirs).await.unwrap(), []);
    assert_eq!(storage.account_named(theirs, "ana").await.unwrap(), Some(account(ana, "ana")));
    apply(&world, team, vec![Change::RemoveAccount(ana)]).await;
    assert_eq!(storage.account(team, ana).await.unwrap(), None);
    assert_eq!(storage.account(team, kofi).await.unwrap(), Some(account(kofi, "kofi")));
}

pub async fn failures_are_counted<S: Storage>(storage: S) {
    let world = Arc::new(World::new(storage).await);
    let team = TeamScope::operator(world.team);
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    let storage = world.core.storage();
    let (ana, nobody) = (PersonId::new(), PersonId::new());
    let account = |login: &str| {
        Change::PutAccount(Account { person: ana, login: login.into(), password: "x".into(), totp: None })
    };
    apply(&world, team, vec![account("ana")]).await;
    let (noon, all) = (super::noon(), [Tried::Person(ana), Tried::Slot(0), Tried::Slot(u16::MAX)]);
    for of in all {
        assert_eq!(storage.attempts(team, of).await.unwrap(), None);
        for failures in 1..=3 {
            let at = noon + TimeDelta::seconds(failures.into());
            assert_eq!(storage.failed(team, of, at, noon).await.unwrap(), failures);
            assert_eq!(storage.attempts(team, of).await.unwrap(), Some(Attempts { failures, at }));
        }
        assert_eq!(storage.attempts(theirs, of).await.unwrap(), None);
        // After a while they count anew.
        let later = noon + TimeDelta::hours(1);
        assert_eq!(storage.failed(team, of, later, noon + TimeDelta::seconds(4)).await.unwrap(), 1);
        // None is lost, however many come at once.
        let many = (0..20).map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.core.storage().failed(team, of, later, noon).await.unwrap() })
        });
        for counted in many.collect::<Vec<_>>() {
            counted.await.unwrap();
        }
        assert_eq!(storage.attempts(team, of).await.unwrap(), Some(Attempts { failures: 21, at: later }));
    }
    // Of a slot they are forgotten in time, of an account they go with it.
    storage.sweep(team, &everything_before(noon + TimeDelta::hours(2))).await.unwrap();
    assert_eq!(storage.attempts(team, Tried::Slot(0)).await.unwrap(), None);
    apply(&world, team, vec![account("ana.b")]).await;
    assert_eq!(storage.attempts(team, Tried::Person(ana)).await.unwrap().unwrap().failures, 21, "by any name");
    for of in all {
        storage.failed(team, of, noon, noon).await.unwrap();
        storage.forget_attempts(team, of).await.unwrap();
        assert_eq!(storage.attempts(team, of).await.unwrap(), None);
    }
    storage.failed(team, Tried::Person(ana), noon, noon).await.unwrap();
    apply(&world, team, vec![Change::RemoveAccount(ana)]).await;
    for person in [ana, nobody] {
        assert_eq!(storage.attempts(team, Tried::Person(person)).await.unwrap(), None);
        assert_eq!(storage.failed(team, Tried::Person(person), noon, noon).await.unwrap(), 1);
        assert_eq!(storage.attempts(team, Tried::Person(person)).await.unwrap(), None);
    }
}

pub async fn what_was_done_is_noted<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = TeamScope::operator(world.team);
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    let storage = world.core.storage();
    let entry = |minute| AuditEntry {
        seq: 0,
        at: super::noon() + TimeDelta::minutes(minute),
        what: "joined".into(),
        by: Some(PersonId::new()),
        device: (minute % 2 == 0).then(DeviceId::new),
        about: (minute % 3 == 0).then(Uuid::now_v7),
        note: format!("the {minute}th"),
    };
    let entries: Vec<AuditEntry> = (0..6).map(entry).collect();
    for pair in entries.chunks(2) {
        storage.commit(team, Batch { audit: pair.to_vec(), ..Batch::default() }).await.unwrap();
    }
    storage.commit(theirs, Batch { audit: vec![entry(9)], ..Batch::default() }).await.unwrap();
    // Nothing of what is not written is noted.
    let stale = Batch { access: Some(77), audit: vec![entry(0)], ..Batch::default() };
    assert_eq!(storage.commit(team, stale).await.unwrap(), Commit::Stale);
    let mut expected: Vec<AuditEntry> =
        entries.into_iter().zip(1..).map(|(entry, seq)| AuditEntry { seq, ..entry }).collect();
    expected.reverse();
    assert_eq!(storage.audit(team, None, 100).await.unwrap(), expected);
    assert_eq!(storage.audit(team, Some(4), 2).await.unwrap(), expected[3..5]);
    assert_eq!(storage.audit(theirs, None, 100).await.unwrap().len(), 1);
    storage.sweep(team, &everything_before(super::noon() + TimeDelta::minutes(4))).await.unwrap();
    assert_eq!(storage.audit(team, None, 100).await.unwrap(), expected[..2]);
    // However old, the newest keeps its number taken.
    storage.sweep(team, &everything_before(super::noon() + TimeDelta::days(1))).await.unwrap();
    storage.commit(team, Batch { audit: vec![entry(9)], ..Batch::default() }).await.unwrap();
    let seqs: Vec<u64> = storage.audit(team, None, 100).await.unwrap().iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [7, 6]);
}

pub async fn old_numbers_are_forgotten_but_not_free<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = TeamScope::operator(world.team);
    let ana = world.someone("Ana", Role::Owner).await;
    let storage = world.core.storage();
    let op = OpId::new();
    for (n, days) in [(3, 0), (4, 1), (9, 50)] {
        let (at, taken) = (super::noon() + TimeDelta::days(days), vec![(ana.actor.device, n, op)]);
        storage.commit(team, Batch { at, taken, ..Batch::default() }).await.unwrap();
    }
    let before = storage.taken(team, ana.actor.device, &[3, 4, 5, 9]).await.unwrap();
    assert_eq!((before.ops, before.forgotten), (vec![Some(op), Some(op), None, Some(op)], None));
    for _ in 0..2 {
        storage.sweep(team, &everything_before(super::noon() + TimeDelta::days(50))).await.unwrap();
        let after = storage.taken(team, ana.actor.device, &[3, 4, 5, 9]).await.unwrap();
        assert_eq!((after.ops, after.forgotten), (vec![None, None, None, Some(op)], Some(4)));
    }
}

pub async fn rows_of_a_kind_are_listed<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = TeamScope::operator(world.team);
    let mut ids = Vec::new();
    for i in 0..5 {
        ids.push(world.someone(&format!("Person {i}"), Role::Owner).await.actor.person.0);
    }
    ids.sort();
    let storage = world.core.storage();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = storage.rows(team, world.scope(), &Kind::MEMBER, after, 2).await.unwrap();
        assert!(page.iter().all(|row| row.record.kind == Kind::MEMBER));
        found.extend(page.iter().map(|row| row.record.id));
        after = found.last().copied();
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(found, ids);
    let none = storage.rows(team, Scope::Private(ids[0]), &Kind::MEMBER, None, 9).await.unwrap();
    assert!(none.is_empty());
    let theirs = TeamScope::operator(world.core.found("Red Team").await.unwrap());
    assert!(storage.rows(theirs, world.scope(), &Kind::MEMBER, None, 9).await.unwrap().is_empty());
}
