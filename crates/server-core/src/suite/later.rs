//! What is sent to appear later.

use super::world::{Someone, World, fields};
use crate::Storage;
use chrono::TimeDelta;
use meantime_protocol::http::{BootstrapQuery, Op};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Kind, Scope};
use std::sync::Arc;
use uuid::Uuid;

fn in_an_hour(op: Op) -> Op {
    Op { visible_from: Some(super::noon() + TimeDelta::hours(1)), ..op }
}

async fn bootstrapped<S: Storage>(world: &World<S>, who: &Someone, id: Uuid) -> bool {
    let query = BootstrapQuery { scope: world.scope(), page: None, limit: Some(1000) };
    world.core.bootstrap(&who.actor, &query).await.unwrap().rows.iter().any(|row| row.id == id)
}

pub async fn what_is_sent_later_is_its_authors<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Owner).await);
    let thread = world.thread(&ana, "Later").await;
    let op = in_an_hour(mei.message(&world.scope(), thread, "good morning"));
    let (id, when) = (op.id, op.visible_from);
    world.put(&mei, op).await;
    assert_eq!(world.see(&mei, id).await.unwrap().visible_from, when);
    assert!(bootstrapped(&world, &mei, id).await && !bootstrapped(&world, &ana, id).await);
    assert!(world.see(&ana, id).await.is_none());
    // Not even by asking for it: the answer is the one for what is not there.
    let probe = ana.change(&world.scope(), Kind::MESSAGE, id, fields(&[("text", "x".into())]));
    assert_eq!(world.refused(&ana, probe).await, Code::NotFound);
    assert_eq!(world.refused(&ana, ana.delete(&world.scope(), Kind::MESSAGE, id)).await, Code::NotFound);
    // Its author may still change it, but not when it appears.
    world.put(&mei, mei.change(&world.scope(), Kind::MESSAGE, id, fields(&[("text", "Good morning".into())]))).await;
    let sooner = Op {
        visible_from: Some(super::noon() + TimeDelta::minutes(1)),
        ..mei.change(&world.scope(), Kind::MESSAGE, id, fields(&[("mood", "x".into())]))
    };
    assert_eq!(world.refused(&mei, sooner).await, Code::Invalid);
    // What is sent to have appeared already appears at once.
    let past = Op { visible_from: Some(super::noon()), ..mei.message(&world.scope(), thread, "now") };
    let now = past.id;
    world.put(&mei, past).await;
    assert_eq!(world.see(&ana, now).await.unwrap().visible_from, None);
    // What should have appeared long ago may be from a clock that is behind:
    // it is not let out at once, for good.
    for (minutes, expected) in [(4, None), (6, Some(Code::Invalid)), (60 * 24, Some(Code::Invalid))] {
        let ago = Some(super::noon() - TimeDelta::minutes(minutes));
        let op = Op { visible_from: ago, ..mei.message(&world.scope(), thread, "good morning") };
        let id = op.id;
        match expected {
            Some(code) => assert_eq!(world.refused(&mei, op).await, code),
            None => drop(world.put(&mei, op).await),
        }
        assert_eq!(world.see(&ana, id).await.is_some(), expected.is_none());
    }
}

/// What is due when its author may not write there any more stays unseen.
async fn stays_unseen<S: Storage>(world: &World<S>, reader: &Someone, scope: Scope, id: Uuid) {
    world.clock.pass(TimeDelta::hours(2));
    assert_eq!(world.core.release_due().await.unwrap(), None);
    let reader = world.again(reader).await;
    assert!(world.all(&reader, scope).await.iter().all(|row| row.id != id), "not even a tombstone");
    let team = crate::TeamScope::operator(world.team);
    let key = crate::Key { scope, kind: Kind::MESSAGE, id };
    let row = world.core.storage().get(team, &[key]).await.unwrap().remove(0).unwrap();
    assert!(row.held && row.record.deleted && row.record.fields.is_empty());
}

pub async fn who_was_removed_says_nothing_later<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Member).await);
    let thread = world.thread(&ana, "Later").await;
    let op = in_an_hour(mei.message(&world.scope(), thread, "and another thing"));
    let id = op.id;
    world.put(&mei, op).await;
    let (stays, of_ana) = (in_an_hour(ana.message(&world.scope(), thread, "good morning")), ana.scope());
    let morning = stays.id;
    world.put(&ana, stays).await;
    world.core.remove(world.operator(), mei.actor.person).await.unwrap();
    stays_unseen(&world, &ana, world.scope(), id).await;
    assert!(world.see(&ana, morning).await.is_some(), "what others wrote appears");
    assert!(world.all(&ana, of_ana).await.is_empty());
}

pub async fn who_left_a_circle_says_nothing_later<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Member).await);
    let circle = Uuid::now_v7();
    let scope = Scope::Private(circle);
    let list = |of: &[&Someone]| {
        let ids: Vec<String> = of.iter().map(|someone| someone.actor.person.to_string()).collect();
        fields(&[("members", ids.into())])
    };
    let seq = world.put(&ana, ana.change(&scope, Kind::SPACE, circle, list(&[&ana, &mei]))).await;
    let (ana, mei) = (world.again(&ana).await, world.again(&mei).await);
    let made = ana.op(&scope, Kind::THREAD, fields(&[("title", "Plans".into()), ("urgency", "green".into())]));
    let thread = made.id;
    world.put(&ana, made).await;
    let op = in_an_hour(mei.message(&scope, thread, "between us"));
    let id = op.id;
    world.put(&mei, op).await;
    world.put(&ana, Op { base_seq: Some(seq), ..ana.change(&scope, Kind::SPACE, circle, list(&[&ana])) }).await;
    stays_unseen(&world, &ana, scope, id).await;
}

pub async fn nothing_appears_in_a_thread_that_is_gone<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Member).await);
    let thread = world.thread(&ana, "Later").await;
    let op = in_an_hour(mei.message(&world.scope(), thread, "good morning"));
    let id = op.id;
    world.put(&mei, op).await;
    world.put(&ana, ana.delete(&world.scope(), Kind::THREAD, thread)).await;
    stays_unseen(&world, &ana, world.scope(), id).await;
    assert!(world.see(&mei, id).await.unwrap().deleted, "its author's devices learn it");
}

pub async fn what_is_due_appears_once<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Owner).await);
    let thread = world.thread(&ana, "Later").await;
    assert_eq!(world.core.release_due().await.unwrap(), None);
    let op = in_an_hour(mei.message(&world.scope(), thread, "good morning"));
    let (id, when) = (op.id, op.visible_from);
    world.put(&mei, op).await;
    assert_eq!(world.core.release_due().await.unwrap(), when);
    // Ana's app is up to date, so only a new seq can bring it to her.
    let cursor = world.page(&ana, world.scope(), 0, 100).await.next.seq;
    world.clock.pass(TimeDelta::minutes(59));
    assert_eq!(world.core.release_due().await.unwrap(), when);
    assert!(world.page(&ana, world.scope(), cursor, 100).await.rows.is_empty());
    world.clock.pass(TimeDelta::minutes(1));
    assert_eq!(world.core.release_due().await.unwrap(), None);
    let page = world.page(&ana, world.scope(), cursor, 100).await;
    assert_eq!(page.rows.iter().map(|row| (row.id, row.seq)).collect::<Vec<_>>(), [(id, cursor + 1)]);
    assert_eq!((page.rows[0].visible_from, page.rows[0].updated_at), (when, when.unwrap()));
    world.clock.pass(TimeDelta::days(1));
    assert_eq!(world.core.release_due().await.unwrap(), None);
    assert!(world.page(&ana, world.scope(), page.next.seq, 100).await.rows.is_empty());
}

pub async fn a_draft_taken_back_never_was<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Owner).await);
    let thread = world.thread(&ana, "Later").await;
    let op = in_an_hour(mei.message(&world.scope(), thread, "undo me"));
    let id = op.id;
    world.put(&mei, op).await;
    world.put(&mei, mei.delete(&world.scope(), Kind::MESSAGE, id)).await;
    assert!(world.see(&mei, id).await.unwrap().deleted, "her other devices learn it");
    world.clock.pass(TimeDelta::hours(2));
    assert_eq!(world.core.release_due().await.unwrap(), None);
    assert!(world.see(&ana, id).await.is_none(), "not even a tombstone");
}

pub async fn nothing_appears_before_its_thread<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Owner).await);
    let made = fields(&[("title", "Tomorrow".into()), ("urgency", "green".into())]);
    let thread = in_an_hour(mei.op(&world.scope(), Kind::THREAD, made));
    let id = thread.id;
    // Its messages say nothing of a time, or a sooner one.
    let first = mei.message(&world.scope(), id, "first");
    let second =
        Op { visible_from: Some(super::noon() + TimeDelta::minutes(5)), ..mei.message(&world.scope(), id, "second") };
    world.push(&mei, vec![thread, first, second]).await;
    world.put(&mei, mei.message(&world.scope(), id, "third")).await;
    assert_eq!(world.refused(&ana, ana.message(&world.scope(), id, "into it")).await, Code::NotFound);
    let cursor = world.page(&ana, world.scope(), 0, 100).await.next.seq;
    world.clock.pass(TimeDelta::minutes(30));
    world.core.release_due().await.unwrap();
    assert!(world.page(&ana, world.scope(), cursor, 100).await.rows.is_empty());
    world.clock.pass(TimeDelta::minutes(30));
    world.core.release_due().await.unwrap();
    let rows = world.page(&ana, world.scope(), cursor, 100).await.rows;
    assert_eq!((rows.len(), rows[0].id), (4, id), "the thread comes first");
    world.put(&ana, ana.message(&world.scope(), id, "into it")).await;
}

pub async fn many_release_one_appearance<S: Storage>(storage: S) {
    let world = Arc::new(World::new(storage).await);
    let (ana, mei) = (world.someone("Ana", Role::Owner).await, world.someone("Mei", Role::Owner).await);
    let thread = world.thread(&ana, "Later").await;
    let ops = (0..300).map(|i| in_an_hour(mei.message(&world.scope(), thread, &format!("{i}")))).collect();
    world.push(&mei, ops).await;
    let cursor = world.page(&ana, world.scope(), 0, 1000).await.next.seq;
    world.clock.pass(TimeDelta::hours(1));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.core.release_due().await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let page = world.page(&ana, world.scope(), cursor, 1000).await;
    let seqs: Vec<u64> = page.rows.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (cursor + 1..=cursor + 300).collect::<Vec<_>>(), "each got one new seq");
}
