//! Who writes what, and what it may be.

use super::world::{Someone, World, fields, object};
use crate::{Incoming, Storage};
use chrono::TimeDelta;
use meantime_model::{PersonId, TeamId};
use meantime_protocol::http::{Op, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Fields, Kind, MAX_FIELDS_BYTES, MAX_VALUES, Scope};
use serde_json::{Value, json};
use uuid::Uuid;

pub async fn what_is_refused_blocks_nothing<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "A hundred messages").await;
    let before = world.core.me(&ana.actor).await.unwrap().scopes[&world.scope()].seq;
    let mut ops = vec![ana.message(&world.scope(), Uuid::now_v7(), "into a thread that is not there")];
    ops.extend((0..100).map(|i| ana.message(&world.scope(), thread, &format!("message {i}"))));
    let outcomes = world.push(&ana, ops).await;
    assert!(matches!(&outcomes[0], PushOutcome::Rejected { problem } if problem.code == Code::NotFound));
    let seqs: Vec<u64> = (before + 1..=before + 100).collect();
    assert_eq!(outcomes[1..], seqs.iter().map(|seq| PushOutcome::Applied { seq: *seq }).collect::<Vec<_>>());
    assert_eq!(world.all(&ana, world.scope()).await.iter().filter(|r| r.kind == Kind::MESSAGE).count(), 100);
}

pub async fn a_change_is_taken_once<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "Once").await;
    let (one, two) = (ana.message(&world.scope(), thread, "one"), ana.message(&world.scope(), thread, "two"));
    let first = world.push(&ana, vec![one.clone()]).await;
    assert!(matches!(first[0], PushOutcome::Applied { .. }));
    // The reply was lost; the app sends it again, with more behind it.
    let again = world.push(&ana, vec![one.clone(), two.clone(), two.clone()]).await;
    assert_eq!(again[0], PushOutcome::Duplicate);
    assert!(matches!(again[1], PushOutcome::Applied { .. }));
    assert_eq!(again[2], PushOutcome::Duplicate);
    let rows = world.all(&ana, world.scope()).await;
    assert_eq!(rows.iter().filter(|r| r.kind == Kind::MESSAGE).count(), 2);
    // Refused ones are not taken: once the reason is gone, they may be sent again.
    let early = ana.message(&world.scope(), Uuid::now_v7(), "early");
    let missing = early.fields["thread"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.refused(&ana, early.clone()).await, Code::NotFound);
    let made = object(json!({"title": "Now there", "urgency": "green"}));
    world.put(&ana, ana.change(&world.scope(), Kind::THREAD, missing, made)).await;
    world.put(&ana, early).await;
}

pub async fn a_number_used_anew_is_refused<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "Numbers").await;
    let op = ana.message(&world.scope(), thread, "first life");
    world.put(&ana, op.clone()).await;
    // The app came back from a backup and counts from an old number.
    let other = Op { n: op.n, ..ana.message(&world.scope(), thread, "second life") };
    assert_eq!(world.refused(&ana, other).await, Code::Conflict);
    // Another device counts for itself.
    let kofi = world.someone("Kofi", Role::Member).await;
    world.put(&kofi, Op { n: op.n, ..kofi.message(&world.scope(), thread, "me too") }).await;
}

/// `None`: taken.
async fn outcome<S: Storage>(world: &World<S>, who: &Someone, op: Op) -> Option<Code> {
    match world.push(who, vec![op]).await.remove(0) {
        PushOutcome::Applied { .. } => None,
        PushOutcome::Rejected { problem } => Some(problem.code),
        PushOutcome::Duplicate => panic!("nothing was sent twice"),
    }
}

pub async fn who_writes_what<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = world.scope();
    let ana = world.someone("Ana", Role::Owner).await;
    let kofi = world.someone("Kofi", Role::Member).await;
    let thread = world.thread(&ana, "Ana's").await;
    let message = ana.message(&team, thread, "Ana's");
    let (message, _) = (message.id, world.put(&ana, message).await);
    let (a, k, t) = (ana.actor.person.0, kofi.actor.person.0, world.team.0);
    let hours = json!({"zone": "Europe/Lisbon", "weekly": {"mon": [["09:00", "17:00"]]}});
    let not = Some(Code::Forbidden);
    let cases: Vec<(&Someone, Kind, Uuid, Value, Option<Code>)> = vec![
        (&kofi, Kind::THREAD, thread, json!({"title": "Kofi's"}), not),
        (&kofi, Kind::THREAD, thread, json!({"outcome": "done", "title": "Kofi's"}), not),
        (&kofi, Kind::THREAD, thread, json!({"outcome": "done"}), None),
        (&ana, Kind::THREAD, thread, json!({"title": "Still Ana's"}), None),
        (&kofi, Kind::MESSAGE, message, json!({"text": "Kofi's"}), not),
        (&kofi, Kind::MEMBER, k, json!({"title": "Server", "city": "Accra"}), None),
        (&kofi, Kind::MEMBER, k, json!({"role": "owner"}), not),
        (&kofi, Kind::MEMBER, k, json!({"role": null}), not),
        (&kofi, Kind::MEMBER, k, json!({"role": "member", "city": "Tema"}), None),
        (&kofi, Kind::MEMBER, a, json!({"city": "Accra"}), not),
        (&ana, Kind::MEMBER, k, json!({"city": "Lisbon"}), not),
        (&ana, Kind::MEMBER, Uuid::now_v7(), json!({"name": "Nobody"}), not),
        (&kofi, Kind::SCHEDULE, a, hours.clone(), not),
        (&ana, Kind::SCHEDULE, a, hours.clone(), None),
        (&kofi, Kind::SCHEDULE, a, hours, not),
        (&kofi, Kind::FOCUS, a, json!({}), not),
        (&kofi, Kind::FOCUS, k, json!({}), None),
        (&kofi, Kind::AGREEMENT, t, json!({"windows": {"red": "2h"}}), not),
        (&ana, Kind::AGREEMENT, t, json!({"windows": {"red": "2h"}}), None),
        (&ana, Kind::AGREEMENT, Uuid::now_v7(), json!({"team": "Another"}), Some(Code::Invalid)),
        (&ana, Kind::MARK, thread, json!({}), Some(Code::Invalid)),
        (&ana, Kind::new("poll"), Uuid::now_v7(), json!({}), Some(Code::Invalid)),
    ];
    for (who, kind, id, fields, expected) in cases {
        let op = who.change(&team, kind, id, object(fields));
        let said = format!("{} {}", op.kind, Value::Object(op.fields.clone()));
        assert_eq!(outcome(&world, who, op).await, expected, "{said}");
    }
    for (who, kind, id, expected) in [
        (&kofi, Kind::THREAD, thread, not),
        (&kofi, Kind::MESSAGE, message, not),
        (&ana, Kind::MEMBER, a, not),
        (&ana, Kind::SCHEDULE, a, not),
        (&kofi, Kind::FOCUS, k, not),
        (&ana, Kind::AGREEMENT, t, not),
        (&ana, Kind::MESSAGE, Uuid::now_v7(), Some(Code::NotFound)),
        (&ana, Kind::MESSAGE, message, None),
        (&ana, Kind::THREAD, thread, None),
    ] {
        let op = who.delete(&team, kind, id);
        let said = format!("delete {}", op.kind);
        assert_eq!(outcome(&world, who, op).await, expected, "{said}");
    }
    // Feeds that are somebody else's, or nobody's, are not there.
    for scope in [kofi.scope(), Scope::Team(TeamId::new()), Scope::User(PersonId::new())] {
        assert_eq!(world.refused(&ana, ana.op(&scope, Kind::MARK, Fields::new())).await, Code::NotFound, "{scope}");
    }
}

pub async fn fields_are_checked<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = world.scope();
    let ana = world.someone("Ana", Role::Owner).await;
    let me = ana.actor.person.0;
    let thread = world.thread(&ana, "There").await;
    let long = "x".repeat(301);
    let many: Vec<Uuid> = (0..101).map(|_| Uuid::now_v7()).collect();
    let deep = |levels| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
    let invalid = [
        (Kind::THREAD, json!({})),
        (Kind::THREAD, json!({"title": "No urgency"})),
        (Kind::THREAD, json!({"title": " ", "urgency": "green"})),
        (Kind::THREAD, json!({"title": "two\nlines", "urgency": "green"})),
        (Kind::THREAD, json!({"title": long, "urgency": "green"})),
        (Kind::THREAD, json!({"title": 7, "urgency": "green"})),
        (Kind::THREAD, json!({"title": "Colour", "urgency": "blue"})),
        (Kind::THREAD, json!({"title": "Nobody asked", "urgency": "red"})),
        (Kind::THREAD, json!({"title": "Stranger", "urgency": "green", "asked": [Uuid::now_v7()]})),
        (Kind::THREAD, json!({"title": "Twice", "urgency": "green", "asked": [me, me]})),
        (Kind::THREAD, json!({"title": "Crowd", "urgency": "green", "asked": many})),
        (Kind::THREAD, json!({"title": "Words", "urgency": "green", "asked": "everybody"})),
        (Kind::MESSAGE, json!({"thread": thread})),
        (Kind::MESSAGE, json!({"thread": thread, "text": "\n "})),
        (Kind::MESSAGE, json!({"thread": "somewhere", "text": "x"})),
        (Kind::MESSAGE, json!({"thread": thread, "text": "x", "written_at": "yesterday"})),
        (Kind::SCHEDULE, json!({"zone": "Europe/Atlantis", "weekly": {}})),
        (Kind::SCHEDULE, json!({"zone": "Europe/Lisbon", "weekly": {"mon": [["09:00", "09:00"]]}})),
        (Kind::FOCUS, json!({"since": "2026-11-23T12:00:00Z", "until": "2026-11-23T11:00:00Z"})),
        (Kind::FOCUS, json!({"until": "2026-11-23T11:00:00Z"})),
        (Kind::FOCUS, deep(33)),
        (Kind::FOCUS, json!({"a": [deep(32)]})),
        (Kind::MEMBER, json!({"name": ""})),
        (Kind::MEMBER, json!({"name": null})),
        (Kind::MEMBER, json!({"name": "Ko\u{200b}fi"})),
        (Kind::MEMBER, json!({"name": "\u{202e}ifoK"})),
        (Kind::MEMBER, json!({"name": "Ko\u{200d}fi"})),
        (Kind::AGREEMENT, json!({"team": "Blue\u{2066} Team"})),
        (Kind::AGREEMENT, json!({"windows": {"red": "soon"}})),
        (Kind::AGREEMENT, json!({"team": "x\u{0}y"})),
    ];
    for (kind, json) in invalid {
        let id = match kind.as_str() {
            "thread" | "message" => Uuid::now_v7(),
            "agreement" => world.team.0,
            _ => me,
        };
        let said = json.to_string();
        let refused = outcome(&world, &ana, ana.change(&team, kind, id, object(json))).await;
        assert_eq!(refused, Some(Code::Invalid), "{said}");
    }
    // Scripts and pictures that need what is not seen have it.
    for name in ["\u{646}\u{200c}\u{645}", "Ana \u{1f469}\u{200d}\u{1f4bb}", "\u{5d0}\u{5e0}\u{5d4}"] {
        world.put(&ana, ana.change(&team, Kind::MEMBER, me, object(json!({"name": name})))).await;
    }
    // What is unknown is kept, within reason.
    world.put(&ana, ana.change(&team, Kind::FOCUS, me, object(deep(32)))).await;
    let big = "x".repeat(MAX_FIELDS_BYTES);
    assert_eq!(world.refused(&ana, ana.message(&team, thread, &big)).await, Code::TooLarge);
    // Nor by adding to it bit by bit.
    let mut op = ana.message(&team, thread, "x");
    let (half, id) = ("y".repeat(MAX_FIELDS_BYTES / 2), op.id);
    op.fields.insert("one".into(), half.clone().into());
    world.put(&ana, op).await;
    let more = ana.change(&team, Kind::MESSAGE, id, fields(&[("two", half.into())]));
    assert_eq!(world.refused(&ana, more).await, Code::TooLarge);
    // Nor in so many values, however short they are written.
    let list = |many: usize| object(json!({"new": vec![0; many]}));
    world.put(&ana, ana.op(&ana.scope(), Kind::new("own_thing"), list(MAX_VALUES - 1))).await;
    assert_eq!(
        world.refused(&ana, ana.op(&ana.scope(), Kind::new("own_thing"), list(MAX_VALUES))).await,
        Code::TooLarge
    );
    let op = ana.op(
        &world.scope(),
        Kind::THREAD,
        object(json!({"title": "x", "urgency": "green", "a": [{"b": vec![0; 3000]}]})),
    );
    let id = op.id;
    world.put(&ana, op).await;
    let more = ana.change(&team, Kind::THREAD, id, object(json!({"more": vec![0; 1200]})));
    assert_eq!(world.refused(&ana, more).await, Code::TooLarge);
    let late = Op { visible_from: Some(super::noon() + TimeDelta::days(400)), ..ana.message(&team, thread, "x") };
    assert_eq!(world.refused(&ana, late).await, Code::Invalid);
}

pub async fn a_patch_keeps_what_it_does_not_name<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let made = json!({"title": "Patch", "urgency": "yellow", "space": "Sync", "new": {"a": 1, "b": [1, 2]}});
    let op = ana.op(&world.scope(), Kind::THREAD, object(made));
    let id = op.id;
    world.put(&ana, op).await;
    let patch = object(json!({"urgency": "green", "space": null, "new": {"a": null, "c": 3}}));
    let seq = world.put(&ana, ana.change(&world.scope(), Kind::THREAD, id, patch.clone())).await;
    let row = world.see(&ana, id).await.unwrap();
    assert_eq!(json!(row.fields), json!({"title": "Patch", "urgency": "green", "new": {"b": [1, 2], "c": 3}}));
    // What changes nothing moves nobody.
    assert_eq!(world.put(&ana, ana.change(&world.scope(), Kind::THREAD, id, patch)).await, seq);
}

/// One push makes the server look at so much, whatever it names.
pub async fn a_push_looks_at_so_much<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let crowd = || -> Vec<Uuid> { (0..100).map(|_| Uuid::now_v7()).collect() };
    let asks = |asked: Vec<Uuid>| {
        ana.op(&world.scope(), Kind::THREAD, object(json!({"title": "x", "urgency": "red", "asked": asked})))
    };
    let incoming =
        |ops: Vec<Op>| -> Vec<Incoming> { ops.into_iter().map(|op| Incoming { n: op.n, op: Ok(op) }).collect() };
    let many = incoming((0..60).map(|_| asks(crowd())).collect());
    assert_eq!(world.core.push(&ana.actor, &many).await.unwrap_err().code, Code::TooLarge);
    // The same people again and again are looked at once.
    let asked = crowd();
    let again = incoming((0..60).map(|_| asks(asked.clone())).collect());
    let results = world.core.push(&ana.actor, &again).await.unwrap();
    assert!(results.iter().all(|result| matches!(&result.outcome, PushOutcome::Rejected { .. })));
    // Nor at so many bytes.
    let big = "x".repeat(250 * 1024);
    let mut changes = Vec::new();
    for i in 0..40 {
        let made = json!({"title": format!("{i}"), "urgency": "green", "big": big});
        let op = ana.op(&world.scope(), Kind::THREAD, object(made));
        changes.push(ana.change(&world.scope(), Kind::THREAD, op.id, fields(&[("outcome", "done".into())])));
        world.put(&ana, op).await;
    }
    let all = world.core.push(&ana.actor, &incoming(changes.clone())).await;
    assert_eq!(all.unwrap_err().code, Code::TooLarge);
    let half = world.core.push(&ana.actor, &incoming(changes.split_off(20))).await.unwrap();
    assert!(half.iter().all(|result| matches!(&result.outcome, PushOutcome::Applied { .. })));
}

pub async fn own_kinds_are_kept<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Member).await;
    let own = ana.scope();
    world.put(&ana, ana.op(&own, Kind::new("setting"), object(json!({"theme": "dark"})))).await;
    for kind in ["", "Setting", "a-b", &"x".repeat(33), "thread"] {
        assert_eq!(world.refused(&ana, ana.op(&own, Kind::new(kind), Fields::new())).await, Code::Invalid, "{kind}");
    }
    let later = Op {
        visible_from: Some(super::noon() + TimeDelta::hours(1)),
        ..ana.op(&own, Kind::MARK, object(json!({"muted": true})))
    };
    assert_eq!(world.refused(&ana, later).await, Code::Invalid);
    let rows = world.all(&ana, own).await;
    assert_eq!(rows.iter().map(|r| (r.kind.as_str(), r.seq)).collect::<Vec<_>>(), [("setting", 1)]);
}
