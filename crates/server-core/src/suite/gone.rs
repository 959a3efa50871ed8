//! Who asked is not there any more: their connection broke, or their device
//! was ended while they were on their way.

use super::world::{Someone, World, fields, join};
use crate::{By, Incoming, Storage};
use meantime_protocol::http::{InviteRequest, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Kind};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// As far as a call comes until it has waited so often; then it is dropped.
async fn broken_off<F: Future>(call: F, waits: usize) {
    let (mut call, mut waited) = (pin!(call), 0);
    poll_fn(|cx| {
        if call.as_mut().poll(cx).is_ready() || waited == waits {
            return Poll::Ready(());
        }
        waited += 1;
        Poll::Pending
    })
    .await;
}

pub async fn what_is_committed_is_told_whoever_listens<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    let mut live = world.core.live(&kofi.actor);
    live.next().await.unwrap();
    let told = async |live: &mut crate::Live<S>, upto: u64| {
        while live.next().await.unwrap().scopes.get(&world.scope()).is_none_or(|seq| *seq < upto) {}
    };
    for waits in 0..12 {
        let title = fields(&[("title", format!("{waits}").into()), ("urgency", "green".into())]);
        let op = ana.op(&world.scope(), Kind::THREAD, title);
        let ops = [Incoming { n: op.n, op: Ok(op.clone()) }];
        broken_off(world.core.push(&ana.actor, &ops), waits).await;
        // As its outbox does. What is known already was told by the first.
        let outcome = world.push(&ana, vec![op.clone()]).await.remove(0);
        assert!(matches!(outcome, PushOutcome::Applied { .. } | PushOutcome::Duplicate), "{outcome:?}");
        let seq = world.see(&ana, op.id).await.unwrap().seq;
        let patience = tokio::time::timeout(Duration::from_secs(10), told(&mut live, seq));
        patience.await.unwrap_or_else(|_| panic!("nobody told of {seq}, broken off after {waits} waits: {outcome:?}"));
    }
}

pub async fn a_device_that_was_ended_does_nothing_more<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    // What it asked for was on its way when it was ended: it is known still.
    let stolen: Someone = world.second_device(&ana).await;
    let request = InviteRequest { valid_hours: 72, role: Role::Owner };
    let invite = world.core.invite_as(&stolen.actor, &request).await.unwrap().secret.reveal();
    world.core.revoke(By::Member(&ana.actor), stolen.actor.device).await.unwrap();

    let title = fields(&[("title", "x".into()), ("urgency", "green".into())]);
    let op = stolen.op(&world.scope(), Kind::THREAD, title);
    let ops = [Incoming { n: op.n, op: Ok(op.clone()) }];
    let by = By::Member(&stolen.actor);
    let refused = [
        world.core.push(&stolen.actor, &ops).await.unwrap_err(),
        world.core.set_role(by, kofi.actor.person, Role::Owner).await.unwrap_err(),
        world.core.remove(by, kofi.actor.person).await.unwrap_err(),
        world.core.revoke(by, ana.actor.device).await.unwrap_err(),
        world.core.invite_as(&stolen.actor, &request).await.unwrap_err(),
        world.core.device_link(&stolen.actor).await.unwrap_err(),
    ];
    assert!(refused.iter().all(|problem| problem.code == Code::Unauthorized), "{refused:?}");
    assert_eq!(world.see(&ana, op.id).await, None);
    let taken = world.core.storage().taken(ana.actor.team_scope(), stolen.actor.device, &[op.n]).await.unwrap();
    assert_eq!(taken.ops, [None], "nothing of a device that is not there stays");
    assert_eq!(world.core.join(&join(&invite, "Eve")).await.unwrap_err().code, Code::InviteInvalid);
    assert_eq!(world.again(&kofi).await.actor.role, Role::Member);
}
