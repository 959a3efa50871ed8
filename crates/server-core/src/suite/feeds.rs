//! Reading feeds.

use super::world::{World, fields};
use crate::{Incoming, Storage};
use chrono::TimeDelta;
use meantime_protocol::http::{BootstrapPage, BootstrapQuery, Op, PullQuery};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Cursor, Epoch, Kind, Record, Scope};
use std::collections::HashSet;
use uuid::Uuid;

pub async fn pages_follow_each_other<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "Pages").await;
    for i in 0..10 {
        world.put(&ana, ana.message(&world.scope(), thread, &format!("{i}"))).await;
    }
    let (mut seqs, mut after) = (Vec::new(), 0);
    loop {
        let page = world.page(&ana, world.scope(), after, 3).await;
        assert_eq!(page.upto, 13);
        assert!(page.rows.len() == 3 || !page.more);
        seqs.extend(page.rows.iter().map(|row| row.seq));
        assert_eq!(page.next.seq, if page.more { page.rows.last().unwrap().seq } else { 13 });
        after = page.next.seq;
        if !page.more {
            break;
        }
    }
    assert_eq!(seqs, (1..=13).collect::<Vec<_>>());
    let end = world.page(&ana, world.scope(), 13, 3).await;
    assert_eq!((end.rows.len(), end.more, end.next.seq), (0, false, 13));
    // A changed record stands once, at its new place.
    world.put(&ana, ana.change(&world.scope(), Kind::THREAD, thread, fields(&[("title", "New".into())]))).await;
    let page = world.page(&ana, world.scope(), 12, 3).await;
    assert_eq!(page.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [13, 14]);
    assert_eq!(world.all(&ana, world.scope()).await.iter().filter(|row| row.id == thread).count(), 1);
    for limit in [0, 1001, usize::MAX] {
        let query = PullQuery { scope: world.scope(), cursor: end.next, limit: Some(limit) };
        assert_eq!(world.core.pull(&ana.actor, &query).await.unwrap_err().code, Code::Invalid);
    }
}

pub async fn an_unknown_past_starts_over<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let epoch = world.core.storage().epoch().await.unwrap();
    for cursor in [
        Cursor { epoch: Epoch(epoch.0 ^ 1), seq: 1 },
        Cursor { epoch, seq: 3 },
        Cursor { epoch, seq: i64::MAX.unsigned_abs() },
        Cursor { epoch, seq: u64::MAX },
    ] {
        let query = PullQuery { scope: world.scope(), cursor, limit: None };
        assert_eq!(world.core.pull(&ana.actor, &query).await.unwrap_err().code, Code::CursorGone, "{cursor}");
    }
    let page = |text: String| BootstrapQuery { scope: world.scope(), page: Some(text), limit: None };
    let other = page(format!("{}.1.2", Cursor { epoch: Epoch(epoch.0 ^ 1), seq: 2 }));
    assert_eq!(world.core.bootstrap(&ana.actor, &other).await.unwrap_err().code, Code::CursorGone);
    for text in ["", "1", "x.1.2", &format!("{epoch}:2.1.9"), &format!("{epoch}:{}.1.9", u64::MAX)] {
        let refused = world.core.bootstrap(&ana.actor, &page(text.to_owned())).await.unwrap_err();
        assert_eq!(refused.code, Code::Invalid, "{text}");
    }
}

async fn bootstrap<S: Storage>(world: &World<S>, who: &super::world::Someone, page: Option<String>) -> BootstrapPage {
    let query = BootstrapQuery { scope: world.scope(), page, limit: Some(5) };
    world.core.bootstrap(&who.actor, &query).await.unwrap()
}

pub async fn a_new_device_reads_people_first<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let old = world.thread(&ana, "Old").await;
    for i in 0..10 {
        world.thread(&ana, &format!("Thread {i}")).await;
    }
    world.put(&ana, ana.message(&world.scope(), old, "news in the old thread")).await;
    let first = bootstrap(&world, &ana, None).await;
    let kinds: Vec<&str> = first.rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["agreement", "member", "message", "thread", "thread", "thread"]);
    assert_eq!(first.rows.last().unwrap().id, old, "a message brings its thread, beyond the limit");
    let newest: Vec<u64> = first.rows[2..5].iter().map(|row| row.seq).collect();
    assert_eq!(newest, [14, 13, 12]);
}

pub async fn a_bootstrap_stands_still<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let threads: Vec<Uuid> = {
        let mut threads = Vec::new();
        for i in 0..12 {
            threads.push(world.thread(&ana, &format!("Thread {i}")).await);
        }
        threads
    };
    let gone = threads[11];
    world.put(&ana, ana.delete(&world.scope(), Kind::THREAD, gone)).await;
    let mut rows: Vec<Record> = Vec::new();
    let (mut page, mut start) = (None, None);
    for (round, thread) in threads.iter().enumerate() {
        let next = bootstrap(&world, &ana, page).await;
        assert_eq!(*start.get_or_insert(next.start), next.start);
        rows.extend(next.rows);
        // Others go on writing meanwhile.
        world.thread(&ana, &format!("Meanwhile {round}")).await;
        let title = fields(&[("title", format!("Changed {round}").into())]);
        world.put(&ana, ana.change(&world.scope(), Kind::THREAD, *thread, title)).await;
        page = next.next_page;
        if page.is_none() {
            break;
        }
    }
    assert!(rows.iter().all(|row| !row.deleted), "tombstones are left out");
    let query = PullQuery { scope: world.scope(), cursor: start.unwrap(), limit: Some(1000) };
    rows.extend(world.core.pull(&ana.actor, &query).await.unwrap().rows);
    let have: HashSet<(Uuid, u64)> = rows.iter().map(|row| (row.id, row.seq)).collect();
    for row in world.all(&ana, world.scope()).await.iter().filter(|row| !row.deleted) {
        assert!(have.contains(&(row.id, row.seq)), "{row:?} was missed");
    }
}

pub async fn big_rows_make_short_pages<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "Big").await;
    let text = "x".repeat(200 * 1024);
    for _ in 0..30 {
        world.put(&ana, ana.message(&world.scope(), thread, &text)).await;
    }
    let page = world.page(&ana, world.scope(), 0, 1000).await;
    assert!(page.more && (20..30).contains(&page.rows.len()), "{} rows", page.rows.len());
    assert_eq!(world.all(&ana, world.scope()).await.len(), 33);
}

/// Short texts that are big in memory: many values, in few bytes each.
pub async fn rows_of_many_values_make_short_pages<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let (scope, mut ids) = (ana.scope(), Vec::new());
    for _ in 0..70 {
        let op = ana.op(&scope, Kind::new("own_thing"), fields(&[("many", vec![0; 4000].into())]));
        ids.push(op.id);
        world.put(&ana, op).await;
    }
    let page = world.page(&ana, scope, 0, 1000).await;
    assert!(page.more && (20..40).contains(&page.rows.len()), "{} rows", page.rows.len());
    assert_eq!(world.all(&ana, scope).await.len(), 70);
    let (mut pages, mut rows) = (0, 0);
    let mut query = BootstrapQuery { scope, page: None, limit: Some(1000) };
    loop {
        let page = world.core.bootstrap(&ana.actor, &query).await.unwrap();
        (pages, rows) = (pages + 1, rows + page.rows.len());
        query.page = page.next_page;
        if query.page.is_none() {
            break;
        }
    }
    assert_eq!((pages, rows), (3, 70));
    // Nor does a push bring all of them into memory.
    let changes = |ids: &[Uuid]| -> Vec<Incoming> {
        let change = |id: &Uuid| ana.change(&scope, Kind::new("own_thing"), *id, fields(&[("one", 1.into())]));
        ids.iter().map(change).map(|op| Incoming { n: op.n, op: Ok(op) }).collect()
    };
    let all = world.core.push(&ana.actor, &changes(&ids)).await;
    assert_eq!(all.unwrap_err().code, Code::TooLarge);
    world.core.push(&ana.actor, &changes(&ids[..35])).await.unwrap();
}

/// A message brings its thread, which may be much bigger than itself.
pub async fn big_threads_make_short_pages<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let big = "x".repeat(200 * 1024);
    let mut threads = Vec::new();
    for i in 0..50 {
        let made = [("title", format!("Thread {i}").into()), ("urgency", "green".into()), ("big", big.clone().into())];
        let op = ana.op(&world.scope(), Kind::THREAD, fields(&made));
        threads.push(op.id);
        world.put(&ana, op).await;
    }
    // One small thread between the messages, so that it is on their page.
    let (first, rest) = threads.split_at(25);
    let mut messages = HashSet::new();
    let late = world.thread(&ana, "Late").await;
    for thread in first.iter().chain([&late]).chain(rest).chain([&late]) {
        let op = ana.message(&world.scope(), *thread, "news");
        messages.insert(op.id);
        world.put(&ana, op).await;
    }
    let (mut pages, mut known) = (0, HashSet::new());
    let mut query = BootstrapQuery { scope: world.scope(), page: None, limit: Some(1000) };
    loop {
        let page = world.core.bootstrap(&ana.actor, &query).await.unwrap();
        let bytes = serde_json::to_string(&page.rows).unwrap().len();
        assert!(bytes < 5 << 20, "{bytes}");
        let here: HashSet<Uuid> = page.rows.iter().map(|row| row.id).collect();
        assert_eq!(here.len(), page.rows.len(), "nothing is on a page twice");
        for message in page.rows.iter().filter(|row| row.kind == Kind::MESSAGE) {
            let thread: Uuid = message.fields["thread"].as_str().unwrap().parse().unwrap();
            assert!(here.contains(&thread), "a message never comes without its thread");
        }
        known.extend(here);
        pages += 1;
        query.page = page.next_page;
        if query.page.is_none() {
            break;
        }
    }
    assert!(pages >= 3 && known.is_superset(&messages) && threads.iter().all(|id| known.contains(id)), "{pages}");
}

pub async fn others_feeds_are_not_there<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Owner).await);
    let theirs = world.core.found("Red Team").await.unwrap();
    let mallory = world.someone_in(theirs, "Mallory", Role::Owner).await;
    let thread = world.thread(&ana, "Secret").await;
    world.put(&kofi, kofi.op(&kofi.scope(), Kind::MARK, fields(&[]))).await;
    let epoch = world.core.storage().epoch().await.unwrap();
    let mut answers = HashSet::new();
    for scope in [
        world.scope(),
        ana.scope(),
        Scope::Team(meantime_model::TeamId::new()),
        Scope::User(meantime_model::PersonId::new()),
    ] {
        let cursor = Cursor { epoch, seq: 0 };
        let pull = world.core.pull(&mallory.actor, &PullQuery { scope, cursor, limit: None }).await;
        let boot = world.core.bootstrap(&mallory.actor, &BootstrapQuery { scope, page: None, limit: None }).await;
        answers.insert(pull.unwrap_err().to_string());
        answers.insert(boot.unwrap_err().to_string());
        let op = mallory.change(&scope, Kind::THREAD, thread, fields(&[("outcome", "x".into())]));
        assert_eq!(world.refused(&mallory, op).await, Code::NotFound);
    }
    assert_eq!(answers.len(), 1, "one answer for what is another's and what is not: {answers:?}");
    // Within one team, another person's own feed is as far away.
    let query = PullQuery { scope: kofi.scope(), cursor: Cursor { epoch, seq: 0 }, limit: None };
    assert_eq!(world.core.pull(&ana.actor, &query).await.unwrap_err().code, Code::NotFound);
    // The same ids in one's own feed are one's own records.
    let op = mallory.message(&Scope::Team(theirs), thread, "into it");
    assert_eq!(world.refused(&mallory, op).await, Code::NotFound);
    let asked = serde_json::json!({"title": "x", "urgency": "red", "asked": [ana.actor.person]});
    let op = mallory.op(&Scope::Team(theirs), Kind::THREAD, asked.as_object().unwrap().clone());
    assert_eq!(world.refused(&mallory, op).await, Code::Invalid);
    assert!(world.all(&mallory, Scope::Team(theirs)).await.iter().all(|row| row.author == mallory.actor.person));
}

pub async fn deletions_are_told<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = world.scope();
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    let thread = world.thread(&ana, "Here").await;
    let op = ana.message(&team, thread, "and gone");
    let (id, made) = (op.id, world.put(&ana, op).await);
    let seq = world.put(&ana, ana.delete(&team, Kind::MESSAGE, id)).await;
    let page = world.page(&kofi, team, made, 10).await;
    assert_eq!((page.rows.len(), page.rows[0].seq), (1, seq));
    assert!(page.rows[0].deleted && page.rows[0].fields.is_empty());
    // Deleting it again is no news; changing it is too late.
    assert_eq!(world.put(&ana, ana.delete(&team, Kind::MESSAGE, id)).await, seq);
    let late = Op { base_seq: Some(seq), ..ana.change(&team, Kind::MESSAGE, id, fields(&[("text", "x".into())])) };
    assert_eq!(world.refused(&ana, late).await, Code::NotFound);
    let with_fields = Op { deleted: true, ..ana.change(&team, Kind::THREAD, thread, fields(&[("title", "x".into())])) };
    assert_eq!(world.refused(&ana, with_fields).await, Code::Invalid);
    world.put(&ana, ana.delete(&team, Kind::THREAD, thread)).await;
    assert_eq!(world.refused(&kofi, kofi.message(&team, thread, "into it")).await, Code::NotFound);
}

pub async fn forgotten_deletions_start_over<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let thread = world.thread(&ana, "Old").await;
    let before = world.page(&ana, world.scope(), 0, 100).await.next;
    let seq = world.put(&ana, ana.delete(&world.scope(), Kind::THREAD, thread)).await;
    world.clock.pass(TimeDelta::days(89));
    assert_eq!(world.core.sweep().await.unwrap(), 0);
    let young = world.thread(&ana, "Young").await;
    world.put(&ana, ana.delete(&world.scope(), Kind::THREAD, young)).await;
    world.clock.pass(TimeDelta::days(2));
    assert_eq!(world.core.sweep().await.unwrap(), 1);
    let pull = |seq| PullQuery { scope: world.scope(), cursor: Cursor { seq, ..before }, limit: None };
    assert_eq!(world.core.pull(&ana.actor, &pull(before.seq)).await.unwrap_err().code, Code::CursorGone);
    let rows = world.core.pull(&ana.actor, &pull(seq)).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [young]);
    // Whoever starts over gets a cursor that holds.
    let start = bootstrap(&world, &ana, None).await.start;
    world.core.pull(&ana.actor, &pull(start.seq)).await.unwrap();
}
