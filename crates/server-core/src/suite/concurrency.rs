//! Many at once.

use super::world::{World, fields};
use crate::Storage;
use meantime_protocol::http::PushOutcome;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Kind, Record};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

pub async fn nothing_is_skipped_under_many_writers<S: Storage>(storage: S) {
    const WRITERS: usize = 16;
    const EACH: usize = 25;
    let world = Arc::new(World::new(storage).await);
    let reader = world.someone("Reader", Role::Owner).await;
    let thread = world.thread(&reader, "Busy").await;
    let written = Arc::new(AtomicBool::new(false));
    let tail = {
        let (world, written) = (Arc::clone(&world), Arc::clone(&written));
        tokio::spawn(async move {
            let (mut rows, mut after): (Vec<Record>, u64) = (Vec::new(), 0);
            loop {
                let last_round = written.load(Ordering::SeqCst);
                let page = world.page(&reader, world.scope(), after, 7).await;
                assert!(page.rows.iter().all(|row| row.seq > after));
                rows.extend(page.rows);
                after = page.next.seq;
                if last_round && !page.more {
                    return (rows, after);
                }
            }
        })
    };
    let mut writers = Vec::new();
    for i in 0..WRITERS {
        let who = world.someone(&format!("Writer {i}"), Role::Member).await;
        let world = Arc::clone(&world);
        writers.push(tokio::spawn(async move {
            let mut ids = HashSet::new();
            for m in 0..EACH {
                let op = who.message(&world.scope(), thread, &format!("{m}"));
                ids.insert(op.id);
                world.put(&who, op).await;
            }
            ids
        }));
    }
    let mut pushed: HashSet<Uuid> = HashSet::new();
    for writer in writers {
        pushed.extend(writer.await.unwrap());
    }
    written.store(true, Ordering::SeqCst);
    let (rows, upto) = tail.await.unwrap();
    let seen: HashSet<Uuid> = rows.iter().filter(|row| row.kind == Kind::MESSAGE).map(|row| row.id).collect();
    assert_eq!(seen, pushed);
    let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (1..=upto).collect::<Vec<_>>(), "no gap, no repetition");
}

pub async fn one_push_many_times_is_one<S: Storage>(storage: S) {
    let world = Arc::new(World::new(storage).await);
    let ana = Arc::new(world.someone("Ana", Role::Owner).await);
    let thread = world.thread(&ana, "Once").await;
    let before = world.page(&ana, world.scope(), 0, 100).await.upto;
    let ops: Vec<_> = (0..5).map(|i| ana.message(&world.scope(), thread, &format!("{i}"))).collect();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (world, ana, ops) = (Arc::clone(&world), Arc::clone(&ana), ops.clone());
            tokio::spawn(async move { world.push(&ana, ops).await })
        })
        .collect();
    let mut applied = 0;
    for task in tasks {
        for outcome in task.await.unwrap() {
            match outcome {
                PushOutcome::Applied { .. } => applied += 1,
                PushOutcome::Duplicate => {}
                PushOutcome::Rejected { problem } => panic!("{problem}"),
            }
        }
    }
    assert_eq!(applied, 5);
    assert_eq!(world.page(&ana, world.scope(), 0, 100).await.upto, before + 5);
}

pub async fn many_change_one_record<S: Storage>(storage: S) {
    let world = Arc::new(World::new(storage).await);
    let ana = Arc::new(world.someone("Ana", Role::Owner).await);
    let thread = world.thread(&ana, "One").await;
    let tasks: Vec<_> = (0..16)
        .map(|i| {
            let (world, ana) = (Arc::clone(&world), Arc::clone(&ana));
            tokio::spawn(async move {
                let field = fields(&[(&format!("field {i}"), i.into())]);
                world.put(&ana, ana.change(&world.scope(), Kind::THREAD, thread, field)).await
            })
        })
        .collect();
    let mut seqs = HashSet::new();
    for task in tasks {
        seqs.insert(task.await.unwrap());
    }
    assert_eq!(seqs.len(), 16, "each change has a place of its own");
    let row = world.see(&ana, thread).await.unwrap();
    let merged = (0..16).filter(|i| row.fields.get(&format!("field {i}")) == Some(&(*i).into())).count();
    assert_eq!(merged, 16, "no change is lost under another");
}

pub async fn streams_are_told<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    let mut live = world.core.live(&ana.actor);
    let first = live.next().await.unwrap();
    assert_eq!(first.scopes, BTreeMap::from([(world.scope(), 3), (ana.scope(), 0)]));
    // Another's own feed is not hers to know about; the team's is, in one poke.
    world.put(&kofi, kofi.op(&kofi.scope(), Kind::MARK, fields(&[]))).await;
    world.thread(&kofi, "One").await;
    world.thread(&kofi, "Two").await;
    assert_eq!(live.next().await.unwrap().scopes, BTreeMap::from([(world.scope(), 5)]));
    world.put(&ana, ana.op(&ana.scope(), Kind::MARK, fields(&[]))).await;
    assert_eq!(live.next().await.unwrap().scopes, BTreeMap::from([(ana.scope(), 1)]));
    // One that slept through many learns where things stand.
    for i in 0..200 {
        world.thread(&kofi, &format!("{i}")).await;
    }
    let mut known = 0;
    while known < 205 {
        known = live.next().await.unwrap().scopes.get(&world.scope()).copied().unwrap_or(known);
    }
    assert_eq!(known, 205);
}
