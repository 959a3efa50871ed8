//! Circles: closed feeds, known to those who are in them and nobody else.

use super::world::{Someone, World, object};
use crate::limits::{CIRCLES_PER_PERSON, MEMBERS_PER_CIRCLE};
use crate::storage::{Batch, Change};
use crate::{By, Storage, TeamScope};
use chrono::TimeDelta;
use meantime_model::PersonId;
use meantime_protocol::http::{BootstrapQuery, Op, PullQuery, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_protocol::people::AuditQuery;
use meantime_protocol::{Code, Cursor, Kind, Record, Scope};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// A circle of somebody with others.
fn circle(who: &Someone, others: &[&Someone]) -> (Uuid, Scope, Op) {
    let id = Uuid::now_v7();
    let scope = Scope::Private(id);
    let op = who.change(&scope, Kind::SPACE, id, object(json!({"title": "Plans", "members": list(who, others)})));
    (id, scope, op)
}

fn list(who: &Someone, others: &[&Someone]) -> Vec<PersonId> {
    std::iter::once(who).chain(others.iter().copied()).map(|someone| someone.actor.person).collect()
}

/// A change of who is in it, by somebody who saw it as it is.
async fn members<S: Storage>(world: &World<S>, who: &Someone, id: Uuid, to: Vec<PersonId>) -> Op {
    let key = crate::rules::space_key(id);
    let rows = world.core.storage().get(TeamScope::operator(world.team), &[key]).await.unwrap();
    let seq = rows[0].as_ref().unwrap().record.seq;
    let op = who.change(&Scope::Private(id), Kind::SPACE, id, object(json!({"members": to})));
    Op { base_seq: Some(seq), ..op }
}

async fn reads<S: Storage>(world: &World<S>, who: &Someone, scope: Scope) -> Result<Vec<Record>, Code> {
    let actor = world.again(who).await.actor;
    let cursor = Cursor { epoch: world.core.storage().epoch().await.unwrap(), seq: 0 };
    let pulled = world.core.pull(&actor, &PullQuery { scope, cursor, limit: None }).await;
    let booted = world.core.bootstrap(&actor, &BootstrapQuery { scope, page: None, limit: None }).await;
    let listed = world.core.me(&actor).await.unwrap().scopes.contains_key(&scope);
    assert_eq!((pulled.is_ok(), booted.is_ok()), (listed, listed));
    assert_eq!(pulled.as_ref().err().map(ToString::to_string), booted.err().map(|problem| problem.to_string()));
    pulled.map(|page| page.rows).map_err(|problem| problem.code)
}

pub async fn a_circle_is_its_members_alone<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Member).await, world.someone("Kofi", Role::Member).await);
    let owner = world.someone("Mei", Role::Owner).await;
    let (id, scope, make) = circle(&ana, &[&kofi]);
    let thread = ana.op(
        &scope,
        Kind::THREAD,
        object(json!({"title": "Secret", "urgency": "red",
        "asked": [kofi.actor.person]})),
    );
    let message = ana.message(&scope, thread.id, "between us");
    let (thread_id, message_id) = (thread.id, message.id);
    // Made and filled in one push.
    let done = world.push(&ana, vec![make, thread, message]).await;
    assert!(done.iter().all(|outcome| matches!(outcome, PushOutcome::Applied { .. })), "{done:?}");
    let rows = reads(&world, &kofi, scope).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>(), ["space", "thread", "message"]);
    let kofi = world.again(&kofi).await;
    world.put(&kofi, kofi.message(&scope, thread_id, "yes")).await;

    // A new device gets to know what the circle is before what is in it.
    let mut query = BootstrapQuery { scope, page: None, limit: Some(1) };
    let mut all: Vec<(String, u64)> = Vec::new();
    loop {
        let page = world.core.bootstrap(&kofi.actor, &query).await.unwrap();
        all.extend(page.rows.iter().map(|row| (row.kind.to_string(), row.seq)));
        query.page = page.next_page;
        if query.page.is_none() {
            break;
        }
    }
    assert_eq!(all[0].0, "space");
    all.sort();
    all.dedup();
    let kinds: Vec<&str> = all.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["message", "message", "space", "thread"]);

    // For others, the owner too, it is as if it were not.
    let absent = Scope::Private(Uuid::now_v7());
    assert_eq!(reads(&world, &owner, absent).await, Err(Code::ScopeGone));
    assert_eq!(reads(&world, &owner, scope).await, Err(Code::ScopeGone));
    for (real, other) in [
        (owner.message(&scope, thread_id, "x"), owner.message(&absent, thread_id, "x")),
        (owner.delete(&scope, Kind::MESSAGE, message_id), owner.delete(&absent, Kind::MESSAGE, message_id)),
        (owner.delete(&scope, Kind::SPACE, id), owner.delete(&absent, Kind::SPACE, id)),
        (
            owner.change(&scope, Kind::MARK, id, object(json!({}))),
            owner.change(&absent, Kind::MARK, id, object(json!({}))),
        ),
        (
            owner.change(&scope, Kind::SPACE, thread_id, object(json!({"members": [owner.actor.person]}))),
            owner.change(&absent, Kind::SPACE, thread_id, object(json!({"members": [owner.actor.person]}))),
        ),
    ] {
        let outcomes = world.push(&owner, vec![real, other]).await;
        assert_eq!(outcomes[0], outcomes[1]);
        assert!(matches!(&outcomes[0], PushOutcome::Rejected { problem } if problem.code == Code::ScopeGone));
    }
    let taking = owner.change(&scope, Kind::SPACE, id, object(json!({"members": [owner.actor.person]})));
    assert_eq!(world.refused(&owner, taking).await, Code::ScopeGone);
    // Its threads are not the team's, nor the other way round.
    assert_eq!(world.refused(&owner, owner.message(&world.scope(), thread_id, "x")).await, Code::NotFound);
    let outside = world.thread(&ana, "Outside").await;
    let ana = world.again(&ana).await;
    assert_eq!(world.refused(&ana, ana.message(&scope, outside, "x")).await, Code::NotFound);
    let asked = json!({"title": "Mei?", "urgency": "red", "asked": [owner.actor.person]});
    assert_eq!(world.refused(&ana, ana.op(&scope, Kind::THREAD, object(asked))).await, Code::Invalid);
    assert!(world.all(&owner, world.scope()).await.iter().all(|row| row.id != thread_id && row.id != message_id));
    let log = world.core.audit(TeamScope::operator(world.team), &AuditQuery::default()).await.unwrap();
    assert!(!json!(log).to_string().contains(&id.to_string()));
}

pub async fn people_come_and_go<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Member).await, world.someone("Kofi", Role::Member).await);
    let (lea, mei) = (world.someone("Lea", Role::Member).await, world.someone("Mei", Role::Owner).await);
    let (id, scope, make) = circle(&ana, &[&kofi]);
    world.put(&ana, make).await;
    let elsewhere = world.elsewhere();
    let (mut here, mut there) = (world.core.live(&lea.actor), elsewhere.live(&lea.actor));
    for first in [here.next().await.unwrap(), there.next().await.unwrap()] {
        assert!(!first.scopes.contains_key(&scope));
    }
    // A member adds; who is added reads it all.
    world.put(&kofi, members(&world, &kofi, id, list(&ana, &[&kofi, &lea])).await).await;
    assert_eq!(reads(&world, &lea, scope).await.unwrap().len(), 1);
    for poke in [here.next().await.unwrap(), there.next().await.unwrap()] {
        assert_eq!(poke.scopes.get(&scope), Some(&2), "{poke:?}");
    }
    // Who made it takes others out, the others only themselves.
    let out = members(&world, &kofi, id, list(&ana, &[&kofi])).await;
    assert_eq!(world.refused(&kofi, out).await, Code::Forbidden);
    // Of two who change it at once, the second is told.
    let stale = members(&world, &lea, id, list(&ana, &[&kofi, &lea, &mei])).await;
    world.put(&ana, members(&world, &ana, id, list(&ana, &[&kofi])).await).await;
    assert_eq!(world.refused(&lea, stale).await, Code::ScopeGone);
    assert_eq!(reads(&world, &lea, scope).await, Err(Code::ScopeGone));
    let poke = here.next().await.unwrap();
    assert_eq!((poke.gone.as_slice(), poke.scopes.contains_key(&scope)), ([scope].as_slice(), false));
    // Elsewhere it may be found first that the circle moved.
    let mut poke = there.next().await.unwrap();
    while poke.gone.is_empty() {
        assert_eq!(poke.scopes.keys().collect::<Vec<_>>(), [&scope]);
        poke = there.next().await.unwrap();
    }
    assert_eq!((poke.gone.as_slice(), poke.scopes.contains_key(&scope)), ([scope].as_slice(), false));
    let stale = members(&world, &kofi, id, list(&ana, &[&kofi, &mei])).await;
    world.put(&ana, members(&world, &ana, id, list(&ana, &[&kofi, &lea])).await).await;
    assert_eq!(world.refused(&kofi, stale).await, Code::Conflict);
    // Leaving, and what comes after it in the same push.
    let leave = members(&world, &kofi, id, list(&ana, &[&lea])).await;
    let after = kofi.op(&scope, Kind::THREAD, object(json!({"title": "Late", "urgency": "green"})));
    let outcomes = world.push(&kofi, vec![leave, after]).await;
    assert!(matches!(outcomes[0], PushOutcome::Applied { .. }));
    assert!(matches!(&outcomes[1], PushOutcome::Rejected { problem } if problem.code == Code::ScopeGone));
    assert_eq!(reads(&world, &kofi, scope).await, Err(Code::ScopeGone));
    assert_eq!(world.refused(&ana, ana.delete(&scope, Kind::SPACE, id)).await, Code::Forbidden);
    // Who is removed from the team is in no circle of it.
    world.core.remove(By::Member(&mei.actor), lea.actor.person).await.unwrap();
    let space = reads(&world, &ana, scope).await.unwrap().remove(0);
    assert_eq!(space.fields["members"], json!([ana.actor.person]));
    let back = members(&world, &ana, id, list(&ana, &[&lea])).await;
    assert_eq!(world.refused(&ana, back).await, Code::Invalid, "not in the team");
    // The last one leaves.
    world.put(&ana, members(&world, &ana, id, Vec::new()).await).await;
    assert_eq!(reads(&world, &ana, scope).await, Err(Code::ScopeGone));
    let again = ana.change(&scope, Kind::SPACE, id, object(json!({"members": [ana.actor.person]})));
    assert_eq!(world.refused(&ana, again).await, Code::ScopeGone, "nobody gets in again by its id");
}

pub async fn what_a_circle_is_made_of<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Member).await, world.someone("Kofi", Role::Member).await);
    let me = ana.actor.person;
    let crowd: Vec<PersonId> = std::iter::once(me).chain((0..MEMBERS_PER_CIRCLE).map(|_| PersonId::new())).collect();
    for fields in [
        json!({}),
        json!({"members": []}),
        json!({"members": [kofi.actor.person]}),
        json!({"members": [me, me]}),
        json!({"members": [me, PersonId::new()]}),
        json!({"members": [me, "Kofi"]}),
        json!({"members": me}),
        json!({"members": crowd}),
        json!({"members": [me], "title": "two\nlines"}),
        json!({"members": [me], "title": "x".repeat(101)}),
    ] {
        let id = Uuid::now_v7();
        let said = fields.to_string();
        let op = ana.change(&Scope::Private(id), Kind::SPACE, id, object(fields));
        assert_eq!(world.refused(&ana, op).await, Code::Invalid, "{said:.80}");
    }
    let (id, scope, make) = circle(&ana, &[&kofi]);
    let elsewhere = Op { scope: Scope::Private(Uuid::now_v7()), ..circle(&ana, &[]).2 };
    assert_eq!(world.refused(&ana, elsewhere).await, Code::ScopeGone);
    let later = Op { visible_from: Some(super::noon() + TimeDelta::hours(1)), ..circle(&ana, &[]).2 };
    assert_eq!(world.refused(&ana, later).await, Code::Invalid);
    world.put(&ana, make).await;
    let (ana, kofi) = (world.again(&ana).await, world.again(&kofi).await);
    for kind in [Kind::MEMBER, Kind::AGREEMENT, Kind::FOCUS, Kind::MARK, Kind::new("poll")] {
        assert_eq!(world.refused(&ana, ana.op(&scope, kind, object(json!({})))).await, Code::Invalid);
    }
    world.put(&kofi, kofi.change(&scope, Kind::SPACE, id, object(json!({"title": "Kofi's title"})))).await;
    for gone in [json!(null), json!("nobody")] {
        let op = members(&world, &ana, id, Vec::new()).await;
        let op = Op { fields: object(json!({"members": gone})), ..op };
        assert_eq!(world.refused(&ana, op).await, Code::Invalid);
    }
    // What waits in a circle is its author's alone, as elsewhere.
    let thread = ana.op(&scope, Kind::THREAD, object(json!({"title": "T", "urgency": "green"})));
    let thread_id = thread.id;
    world.put(&ana, thread).await;
    let at = Some(super::noon() + TimeDelta::hours(1));
    world.put(&ana, Op { visible_from: at, ..ana.message(&scope, thread_id, "later") }).await;
    let count = async |who: &Someone| reads(&world, who, scope).await.unwrap().len();
    assert_eq!((count(&ana).await, count(&kofi).await), (3, 2));
    world.clock.pass(TimeDelta::hours(1));
    world.core.release_due().await.unwrap();
    assert_eq!((count(&ana).await, count(&kofi).await), (3, 3));
}

pub async fn nobody_is_in_circles_without_end<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Member).await, world.someone("Kofi", Role::Member).await);
    let changes = (2..CIRCLES_PER_PERSON)
        .map(|_| Change::Circle { circle: Uuid::now_v7(), members: vec![kofi.actor.person] })
        .collect();
    let batch = Batch { changes, ..Batch::default() };
    world.core.storage().commit(TeamScope::operator(world.team), batch).await.unwrap();
    // Two more in one push, and then one too many: nobody fills another's app.
    let ops: Vec<Op> = (0..3).map(|_| circle(&ana, &[&kofi]).2).collect();
    let outcomes = world.push(&ana, ops).await;
    assert!(outcomes[..2].iter().all(|outcome| matches!(outcome, PushOutcome::Applied { .. })), "{outcomes:?}");
    assert!(matches!(&outcomes[2], PushOutcome::Rejected { problem } if problem.code == Code::LimitReached));
    assert_eq!(world.core.me(&world.again(&kofi).await.actor).await.unwrap().scopes.len(), CIRCLES_PER_PERSON + 2);
    world.put(&ana, circle(&ana, &[]).2).await;
}

/// Nor by several who put them into one at the same moment.
pub async fn many_circles_at_once_are_counted<S: Storage>(storage: S) {
    let world = Arc::new(World::new(storage).await);
    let kofi = Arc::new(world.someone("Kofi", Role::Member).await);
    let changes = (1..CIRCLES_PER_PERSON)
        .map(|_| Change::Circle { circle: Uuid::now_v7(), members: vec![kofi.actor.person] })
        .collect();
    let batch = Batch { changes, ..Batch::default() };
    world.core.storage().commit(TeamScope::operator(world.team), batch).await.unwrap();
    let mut pushes = Vec::new();
    for i in 0..8 {
        let (world, kofi) = (Arc::clone(&world), Arc::clone(&kofi));
        let who = world.someone(&format!("Person {i}"), Role::Member).await;
        pushes.push(tokio::spawn(async move { world.push(&who, vec![circle(&who, &[&kofi]).2]).await.remove(0) }));
    }
    let mut made = 0;
    for push in pushes {
        match push.await.unwrap() {
            PushOutcome::Applied { .. } => made += 1,
            PushOutcome::Rejected { problem } => assert_eq!(problem.code, Code::LimitReached),
            PushOutcome::Duplicate => panic!("nothing was sent twice"),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(world.again(&kofi).await.actor.circles.len(), CIRCLES_PER_PERSON);
}

pub async fn a_guest_sees_who_they_are_with<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    let guest = world.someone("Lea", Role::Guest).await;
    let hours = json!({"zone": "Europe/Lisbon", "weekly": {"mon": [["09:00", "17:00"]]}});
    world.put(&kofi, kofi.change(&world.scope(), Kind::SCHEDULE, kofi.actor.person.0, object(hours))).await;
    let thread = world.thread(&ana, "The team's").await;
    let message = ana.message(&world.scope(), thread, "Team only");
    world.put(&ana, message).await;
    let kinds = |rows: &[Record]| -> Vec<(String, Uuid)> {
        let mut kinds: Vec<_> = rows.iter().map(|row| (row.kind.as_str().to_owned(), row.id)).collect();
        kinds.sort();
        kinds
    };
    let own = ("member".to_owned(), guest.actor.person.0);
    let agreement = ("agreement".to_owned(), world.team.0);
    let alone = reads(&world, &guest, world.scope()).await.unwrap();
    assert_eq!(kinds(&alone), [agreement.clone(), own.clone()]);
    // They write nothing there, and are asked nothing.
    let thread_op = guest.op(&world.scope(), Kind::THREAD, object(json!({"title": "x", "urgency": "green"})));
    assert_eq!(world.refused(&guest, thread_op).await, Code::Forbidden);
    for id in [thread, Uuid::now_v7()] {
        let outcome = guest.change(&world.scope(), Kind::THREAD, id, object(json!({"outcome": "x"})));
        assert_eq!(world.refused(&guest, outcome).await, Code::Forbidden);
        let refused = guest.message(&world.scope(), id, "x");
        assert_eq!(world.refused(&guest, refused).await, Code::Forbidden);
    }
    let (_, _, make) = circle(&guest, &[]);
    assert_eq!(world.refused(&guest, make).await, Code::Forbidden);
    let asked = json!({"title": "Lea?", "urgency": "red", "asked": [guest.actor.person]});
    assert_eq!(world.refused(&ana, ana.op(&world.scope(), Kind::THREAD, object(asked))).await, Code::Invalid);
    let city = guest.change(&world.scope(), Kind::MEMBER, guest.actor.person.0, object(json!({"city": "Porto"})));
    world.put(&guest, city).await;

    // In a circle, they get to know who is in it, wherever their cursor stands.
    let guest = world.again(&guest).await;
    let cursor = world.page(&guest, world.scope(), 0, 100).await.next;
    let (id, scope, make) = circle(&kofi, &[&guest]);
    world.put(&kofi, make).await;
    let guest = world.again(&guest).await;
    let page = world.page(&guest, world.scope(), cursor.seq, 100).await;
    let k = kofi.actor.person.0;
    assert_eq!(kinds(&page.rows), [("member".into(), k), own.clone(), ("schedule".into(), k)]);
    let all = reads(&world, &guest, world.scope()).await.unwrap();
    assert_eq!(kinds(&all), [agreement.clone(), ("member".into(), k), own.clone(), ("schedule".into(), k)]);
    let inside = guest.op(&scope, Kind::THREAD, object(json!({"title": "Hello", "urgency": "green"})));
    world.put(&guest, inside).await;
    let add = members(&world, &guest, id, list(&kofi, &[&guest, &ana])).await;
    assert_eq!(world.refused(&guest, add).await, Code::Forbidden, "a guest adds nobody");
    // Who comes later is introduced as well; who goes is not followed any more.
    world.put(&kofi, members(&world, &kofi, id, list(&kofi, &[&guest, &ana])).await).await;
    let page = world.page(&guest, world.scope(), page.next.seq, 100).await;
    assert!(kinds(&page.rows).contains(&("member".into(), ana.actor.person.0)), "{:?}", page.rows);
    world.put(&guest, members(&world, &guest, id, list(&kofi, &[&ana])).await).await;
    let title = object(json!({"title": "Moved on"}));
    world.put(&kofi, kofi.change(&world.scope(), Kind::MEMBER, k, title)).await;
    let rest = world.page(&world.again(&guest).await, world.scope(), page.next.seq, 100).await;
    assert_eq!(kinds(&rest.rows), []);
    assert!(all.iter().all(|row| row.fields.get("text") != Some(&Value::from("Team only"))));
}
