//! Attachments: what messages may refer to, how much there may be, and what
//! becomes of those that nobody refers to.

use super::world::{Someone, World, object};
use crate::attachments::Whole;
use crate::rules::{Kept, cupboard};
use crate::{Storage, TeamScope};
use chrono::TimeDelta;
use meantime_model::PersonId;
use meantime_protocol::http::{Op, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Fields, Kind, Scope, Sha256};
use serde_json::{Value, json};
use uuid::Uuid;

const MUCH: u64 = 1 << 40;

fn hash(n: u8) -> Sha256 {
    Sha256([n; 32])
}

fn whole(scope: Scope, n: u8, bytes: u64) -> Whole {
    Whole { scope, sha256: hash(n), bytes, tag: Uuid::now_v7(), instead_of: None }
}

fn entry(n: u8, bytes: u64) -> Value {
    json!({"sha256": hash(n), "name": "plan.pdf", "media_type": "application/pdf", "bytes": bytes})
}

fn with(who: &Someone, scope: &Scope, thread: Uuid, attachments: Value) -> Op {
    let fields = json!({"thread": thread, "text": "See there", "attachments": attachments});
    who.op(scope, Kind::MESSAGE, object(fields))
}

async fn keep<S: Storage>(world: &World<S>, who: &Someone, whole: Whole) -> Kept {
    world.core.keep_attachment(&who.actor, whole, MUCH).await.unwrap()
}

async fn circle<S: Storage>(world: &World<S>, who: &Someone, members: &[PersonId]) -> Scope {
    let id = Uuid::now_v7();
    let fields = object(json!({ "members": members }));
    world.put(who, who.change(&Scope::Private(id), Kind::SPACE, id, fields)).await;
    Scope::Private(id)
}

pub async fn messages_refer_to_what_is_whole<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let ben = world.someone("Ben", Role::Member).await;
    let team = world.scope();
    let thread = world.thread(&ana, "Plans").await;
    let refused = |attachments: Value| {
        let op = with(&ana, &team, thread, attachments);
        world.refused(&ana, op)
    };
    assert_eq!(refused(json!([entry(1, 7)])).await, Code::Invalid, "nothing is there");
    keep(&world, &ana, whole(team, 1, 7)).await;
    assert_eq!(refused(json!([entry(1, 8)])).await, Code::Invalid, "another length");
    for (field, value) in [
        ("name", json!("../plan.pdf")),
        ("name", json!("")),
        ("name", json!("a\nb")),
        ("name", json!("x".repeat(256))),
        ("media_type", json!("text/html; charset=utf-8")),
        ("media_type", json!("")),
        ("sha256", json!("7")),
        ("sha256", json!("AB".repeat(32))),
        ("bytes", json!(-7)),
        ("bytes", json!(null)),
    ] {
        let mut wrong = entry(1, 7);
        wrong[field] = value;
        assert_eq!(refused(json!([wrong])).await, Code::Invalid, "{wrong}");
    }
    for wrong in [json!({}), json!("x"), json!([[]]), json!(vec![entry(1, 7); 21])] {
        assert_eq!(refused(wrong.clone()).await, Code::Invalid, "{wrong}");
    }
    world.put(&ben, with(&ben, &team, thread, json!(vec![entry(1, 7); 20]))).await;
    let message = with(&ana, &team, thread, json!([entry(1, 7)]));
    let id = message.id;
    world.put(&ana, message).await;
    assert_eq!(world.see(&ben, id).await.unwrap().fields["attachments"], json!([entry(1, 7)]));
    // What it holds is judged again only when it is said again.
    world.put(&ana, ana.change(&team, Kind::MESSAGE, id, text("Better"))).await;
    let none = object(json!({"attachments": []}));
    world.put(&ana, ana.change(&team, Kind::MESSAGE, id, none)).await;

    // A circle has its own, and nothing of the team's is told there.
    let private = circle(&world, &ana, &[ana.actor.person]).await;
    let (ana, ben) = (world.again(&ana).await, world.again(&ben).await);
    let room = ana.op(&private, Kind::THREAD, object(json!({"title": "x", "urgency": "green"})));
    let room_id = room.id;
    world.put(&ana, room).await;
    assert_eq!(world.refused(&ana, with(&ana, &private, room_id, json!([entry(1, 7)]))).await, Code::Invalid);
    keep(&world, &ana, whole(private, 2, 9)).await;
    world.put(&ana, with(&ana, &private, room_id, json!([entry(2, 9)]))).await;
    assert_eq!(world.refused(&ana, with(&ana, &team, thread, json!([entry(2, 9)]))).await, Code::Invalid);
    assert_eq!(world.core.attachment(&ana.actor, team, hash(2)).await, Ok(None));
    assert_eq!(world.core.attachment(&ben.actor, private, hash(2)).await.unwrap_err().code, Code::ScopeGone);
    let late = world.core.keep_attachment(&ben.actor, whole(private, 2, 9), MUCH).await;
    assert_eq!(late.unwrap_err().code, Code::ScopeGone);

    // The list of them is in no feed that anybody reads.
    for who in [&ana, &ben] {
        let me = world.core.me(&who.actor).await.unwrap();
        assert!(!me.scopes.contains_key(&cupboard(world.team)));
        assert!(world.all(who, team).await.iter().all(|row| row.kind.as_str() != "attachment"));
    }
    let own = ana.op(&ana.scope(), Kind::new("attachment"), Fields::new());
    world.put(&ana, own).await;
    let into = ana.op(&cupboard(world.team), Kind::new("attachment"), Fields::new());
    assert_eq!(world.refused(&ana, into).await, Code::NotFound);
}

pub async fn strangers_and_guests_have_no_attachments<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let guest = world.someone("Gus", Role::Guest).await;
    let other = world.core.found("Red Team").await.unwrap();
    let mallory = world.someone_in(other, "Mallory", Role::Owner).await;
    let team = world.scope();
    keep(&world, &ana, whole(team, 1, 7)).await;
    for who in [&guest, &mallory] {
        for scope in [team, ana.scope(), cupboard(world.team), Scope::Team(meantime_model::TeamId::new())] {
            for n in [1, 2] {
                let answer = world.core.attachment(&who.actor, scope, hash(n)).await.unwrap_err();
                assert_eq!(answer, world.core.attachment(&who.actor, mallory.scope(), hash(3)).await.unwrap_err());
                let kept = world.core.keep_attachment(&who.actor, whole(scope, n, 7), MUCH).await;
                assert_eq!(kept.unwrap_err(), answer);
            }
        }
    }
    // The same bytes in another team are another attachment.
    assert_eq!(world.core.attachment(&mallory.actor, Scope::Team(other), hash(1)).await, Ok(None));
    assert_eq!(world.core.attached_bytes(TeamScope::operator(other)).await, Ok(0));
    // A guest has those of the circles that they are in.
    let private = circle(&world, &ana, &[ana.actor.person, guest.actor.person]).await;
    let guest = world.again(&guest).await;
    keep(&world, &guest, whole(private, 5, 7)).await;
    assert!(world.core.attachment(&guest.actor, private, hash(5)).await.unwrap().is_some());
}

pub async fn a_team_has_so_much_and_no_more<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let team = TeamScope::operator(world.team);
    let scope = world.scope();
    // Many at once are each counted once.
    let keeps = (0..10).map(|n| {
        let (core, actor) = (std::sync::Arc::clone(&world.core), ana.actor.clone());
        tokio::spawn(async move { core.keep_attachment(&actor, whole(scope, n / 2, 100), 450).await })
    });
    let mut kept = Vec::new();
    for keep in keeps.collect::<Vec<_>>() {
        kept.push(keep.await.unwrap());
    }
    let fit: std::collections::HashSet<_> = kept.iter().flatten().map(|kept| (kept.sha256, kept.tag)).collect();
    assert_eq!(fit.len(), 4, "the two of each pair are the same one");
    assert_eq!(kept.iter().flatten().count(), 8);
    assert!(kept.iter().filter_map(|kept| kept.as_ref().err()).all(|problem| problem.code == Code::LimitReached));
    assert_eq!(world.core.attached_bytes(team).await, Ok(400));
    assert_eq!(world.core.room_for_attachment(team, 50, 450).await, Ok(()));
    assert_eq!(world.core.room_for_attachment(team, 51, 450).await.unwrap_err().code, Code::LimitReached);
    assert_eq!(world.core.room_for_attachment(team, u64::MAX, 450).await.unwrap_err().code, Code::LimitReached);
    let all = world.core.attachments(team, None, 1000).await.unwrap();
    assert_eq!(all.len(), 4);
    let rest = world.core.attachments(team, Some(all[0].id), 2).await.unwrap();
    assert_eq!(rest, all[1..3]);
    // One whose bytes are gone is replaced, and not counted twice.
    let gone = &all[0].kept;
    assert_eq!(all[0].by, ana.actor.person);
    let again = Whole { instead_of: Some(gone.tag), ..whole(scope, gone.sha256.0[0], 100) };
    let tags = |tag| [(all[0].id, tag)];
    assert_eq!(world.core.are_attached(team, &tags(gone.tag)).await.unwrap(), [true]);
    assert_eq!(keep(&world, &ana, again).await.tag, again.tag);
    assert_eq!(world.core.are_attached(team, &tags(gone.tag)).await.unwrap(), [false]);
    assert_eq!(world.core.are_attached(team, &tags(again.tag)).await.unwrap(), [true]);
    assert_eq!(world.core.attached_bytes(team).await, Ok(400));
}

pub async fn what_nobody_refers_to_is_forgotten<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let team = TeamScope::operator(world.team);
    let scope = world.scope();
    let thread = world.thread(&ana, "Plans").await;
    for n in 1..=3 {
        keep(&world, &ana, whole(scope, n, 10)).await;
    }
    let sweep = async || {
        let swept = world.core.sweep_attachments(team, TimeDelta::days(7)).await.unwrap();
        let mut swept: Vec<u8> = swept.iter().map(|kept| kept.sha256.0[0]).collect();
        swept.sort_unstable();
        swept
    };
    let message = with(&ana, &scope, thread, json!([entry(1, 10), entry(2, 10)]));
    let id = message.id;
    let again = message.clone();
    world.put(&ana, message).await;
    assert_eq!(world.push(&ana, vec![again]).await, [PushOutcome::Duplicate]);
    assert_eq!(sweep().await, [0u8; 0]);
    world.clock.pass(TimeDelta::days(7));
    assert_eq!(sweep().await, [3], "nobody ever referred to it");
    assert_eq!(world.core.attachment(&ana.actor, scope, hash(3)).await, Ok(None));
    assert_eq!(world.core.attached_bytes(team).await, Ok(20));
    // A message that lets go of one, and is then deleted.
    let only_first = object(json!({"attachments": [entry(1, 10)]}));
    world.put(&ana, ana.change(&scope, Kind::MESSAGE, id, only_first)).await;
    assert_eq!(sweep().await, [0u8; 0], "it was let go of just now");
    world.clock.pass(TimeDelta::days(6));
    assert_eq!(sweep().await, [0u8; 0]);
    world.put(&ana, Op { deleted: true, ..ana.change(&scope, Kind::MESSAGE, id, Fields::new()) }).await;
    world.clock.pass(TimeDelta::days(1));
    assert_eq!(sweep().await, [2]);
    world.clock.pass(TimeDelta::days(6));
    assert_eq!(sweep().await, [0u8; 0]);
    // In the last moment somebody refers to it again.
    let back = with(&ana, &scope, thread, json!([entry(1, 10)]));
    world.put(&ana, back).await;
    world.clock.pass(TimeDelta::days(60));
    assert_eq!(sweep().await, [0u8; 0]);
    assert!(world.core.attachment(&ana.actor, scope, hash(1)).await.unwrap().is_some());
    // When somebody's things shall go, theirs go at once, but for what is referred to.
    let ben = world.someone("Ben", Role::Member).await;
    for (who, n) in [(&ben, 8), (&ana, 9)] {
        keep(&world, who, whole(scope, n, 10)).await;
    }
    let gone = world.core.forget_attachments_of(team, ana.actor.person).await.unwrap();
    assert_eq!(gone.iter().map(|kept| kept.sha256).collect::<Vec<_>>(), [hash(9)]);
    let gone = world.core.forget_attachments_of(team, ben.actor.person).await.unwrap();
    assert_eq!(gone.iter().map(|kept| kept.sha256).collect::<Vec<_>>(), [hash(8)]);
    // What was forgotten can be brought again.
    keep(&world, &ana, whole(scope, 3, 10)).await;
    assert_eq!(world.core.attached_bytes(team).await, Ok(20));
}

fn text(text: &str) -> Fields {
    Fields::from_iter([("text".to_owned(), json!(text))])
}
